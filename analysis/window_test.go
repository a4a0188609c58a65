package analysis

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/serin-cd/serin/rules"
)

func TestWindowsAreClippedToTheRollout(t *testing.T) {
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	fixed := latency()
	fixed.Query = rules.MustCompile(`sum(rate(errors{version="canary"}[5m]))`)
	offset := latency()
	offset.Query = rules.MustCompile(`sum(rate(errors[{{window}}] offset 1m))`)
	cold := errorRatio()
	cold.Warmup = 3 * time.Minute
	const behind, early = "window reaches behind the first exposure", "window reaches behind the step's start"
	for name, c := range map[string]struct {
		rule          rules.Rule
		since, inside time.Time
		want          Window
	}{
		"nothing exposed":                  {errorRatio(), time.Time{}, ago(0), Window{Why: "nothing is exposed yet"}},
		"exposed this instant":             {errorRatio(), ago(0), ago(0), Window{Why: "nothing is exposed yet"}},
		"exposed in the future":            {errorRatio(), ago(-time.Second), ago(0), Window{Why: "nothing is exposed yet"}},
		"young rollout":                    {errorRatio(), ago(30 * time.Second), ago(30 * time.Second), Window{Length: 30 * time.Second, Clipped: true, Proof: ProvesHealth}},
		"whole milliseconds":               {errorRatio(), ago(1500*time.Millisecond + 1), ago(time.Minute), Window{Length: 1500 * time.Millisecond, Clipped: true, Proof: ProvesHealth}},
		"first step":                       {errorRatio(), ago(5 * time.Minute), ago(5 * time.Minute), Window{Length: 2 * time.Minute, Proof: ProvesHealth}},
		"a later step has begun":           {errorRatio(), ago(9 * time.Minute), ago(119 * time.Second), Window{Length: 2 * time.Minute, Proof: ProvesFaults, Why: early}},
		"a window just inside":             {errorRatio(), ago(9 * time.Minute), ago(2 * time.Minute), Window{Length: 2 * time.Minute, Proof: ProvesHealth}},
		"step not confirmed":               {errorRatio(), ago(9 * time.Minute), time.Time{}, Window{Length: 2 * time.Minute, Proof: ProvesFaults, Why: "the step is not confirmed yet"}},
		"hard-coded range, too early":      {fixed, ago(4 * time.Minute), ago(4 * time.Minute), Window{Length: 2 * time.Minute, Why: behind}},
		"hard-coded range":                 {fixed, ago(5 * time.Minute), ago(5 * time.Minute), Window{Length: 2 * time.Minute, Proof: ProvesHealth}},
		"hard-coded range, step begun":     {fixed, ago(9 * time.Minute), ago(3 * time.Minute), Window{Length: 2 * time.Minute, Proof: ProvesFaults, Why: early}},
		"offset, too early":                {offset, ago(150 * time.Second), ago(150 * time.Second), Window{Length: 2 * time.Minute, Why: behind}},
		"warming up":                       {cold, ago(9 * time.Minute), ago(179 * time.Second), Window{Length: 2 * time.Minute, Why: "warming up for 3m0s of the step"}},
		"warmed up":                        {cold, ago(9 * time.Minute), ago(3 * time.Minute), Window{Length: 2 * time.Minute, Proof: ProvesHealth}},
		"an instant selector looks back 0": {latency(), ago(time.Second), ago(time.Second), Window{Length: time.Second, Clipped: true, Proof: ProvesHealth}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Clip(c.rule, c.since, c.inside, noon)); diff != "" {
				t.Errorf("window (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoWindowBeginsBeforeTheRollout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := errorRatio()
		rule.Window = time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "window")).Truncate(time.Millisecond)
		since := noon.Add(-time.Duration(rapid.Int64Range(-1e9, int64(2*time.Hour)).Draw(t, "since")))
		step := since.Add(time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "step")))
		w := Clip(rule, since, step, noon)
		switch {
		case w.Proof >= ProvesFaults && noon.Add(-w.Length).Before(since):
			t.Fatalf("window %v begins before %v", w, since)
		case w.Proof == ProvesHealth && noon.Add(-w.Length).Before(step):
			t.Fatalf("a passing window %v begins before the step at %v", w, step)
		case (w.Proof == ProvesHealth) != (w.Why == ""):
			t.Fatalf("proof %v with the reason %q", w.Proof, w.Why)
		}
	})
}
