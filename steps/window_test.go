package steps_test

import (
	"testing"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/steps"
)

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestWindowsAreOpenAtTheirTimes(t *testing.T) {
	seoul := steps.Window{Open: "CRON_TZ=Asia/Seoul 0 9 * * MON-FRI", For: 8 * time.Hour}
	night := steps.Window{Open: "0 22 * * *", For: 4 * time.Hour}
	newYork := steps.Window{Open: "CRON_TZ=America/New_York 0 9 * * *", For: 8 * time.Hour}
	early := steps.Window{Open: "CRON_TZ=Europe/Berlin 30 2 * * *", For: time.Hour}
	once := steps.Window{From: instant(t, "2026-12-24T00:00:00+01:00"), To: instant(t, "2027-01-02T00:00:00+01:00")}
	for _, c := range []struct {
		name string
		w    steps.Window
		at   string
		want bool
	}{
		{"opens on time", seoul, "2026-11-20T09:00:00+09:00", true},
		{"not a moment before", seoul, "2026-11-20T08:59:59+09:00", false},
		{"until its end", seoul, "2026-11-20T16:59:59+09:00", true},
		{"not at its end", seoul, "2026-11-20T17:00:00+09:00", false},
		{"not on Saturday", seoul, "2026-11-21T10:00:00+09:00", false},
		{"Friday there is Thursday elsewhere", seoul, "2026-11-19T19:30:00-05:00", true},
		{"before midnight", night, "2026-11-20T23:59:59Z", true},
		{"at midnight", night, "2026-11-21T00:00:00Z", true},
		{"after midnight", night, "2026-11-21T01:59:59Z", true},
		{"over at two", night, "2026-11-21T02:00:00Z", false},
		{"summer time", newYork, "2026-10-31T13:00:00Z", true},
		{"an hour later in winter", newYork, "2026-11-01T13:30:00Z", false},
		{"and then open", newYork, "2026-11-01T14:00:00Z", true},
		{"a time that the clocks skip does not come", early, "2026-03-29T01:15:00Z", false},
		{"the day after it does", early, "2026-03-30T00:45:00Z", true},
		{"once, before", once, "2026-12-23T22:59:59Z", false},
		{"once, within", once, "2026-12-23T23:00:00Z", true},
		{"once, after", once, "2027-01-01T23:00:00Z", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := plan()
			p.Advance = &c.w
			if got, _, _ := p.MayAdvance(instant(t, c.at)); got != c.want {
				t.Errorf("as an advance window at %s: %v", c.at, got)
			}
			p.Advance, p.Freeze = nil, []steps.Window{c.w}
			if got, _, _ := p.MayAdvance(instant(t, c.at)); got == c.want {
				t.Errorf("as a freeze at %s: %v", c.at, got)
			}
		})
	}
}

func TestStepsBeginOnlyInTheWindowAndTheWayBackIsFreeAtAllTimes(t *testing.T) {
	p := plan()
	p.Advance = &steps.Window{Open: "0 9 * * *", For: time.Hour}
	p.Freeze = []steps.Window{{From: instant(t, "2026-11-21T09:00:00Z"), To: instant(t, "2026-11-21T09:30:00Z")}}
	r, err := steps.NewRollout("r", "production", "checkout", "1.1.0", "1.0.0", p, epoch) // 10:00, the window is over
	if err != nil {
		t.Fatal(err)
	}
	if r, _ = r.Next(epoch, steps.Tick{}); r.Phase != steps.Pending {
		t.Fatalf("%s outside the window", r.Phase)
	}
	at, ok := r.WakeAt()
	if want := instant(t, "2026-11-21T09:30:00Z"); !ok || !at.Equal(want) {
		t.Fatalf("wakes at %v, want %v: when the window is open and the freeze over", at, want)
	}
	r, _ = r.Next(at, steps.Tick{})
	r, _ = r.Next(at, steps.Applied{Seq: r.Seq, Target: steps.Traffic, Observed: 500, Confirmed: true})
	reading := func(at time.Time, v analysis.Verdict) steps.Measured {
		return steps.Measured{At: at, Seq: r.Seq, Verdicts: []analysis.Judgement{{Rule: "errors", Verdict: v, Data: true, Critical: v == analysis.Unhealthy, Reading: analysis.Reading{At: at}}}}
	}
	later := instant(t, "2026-11-21T12:00:00Z")
	if r, _ = r.Next(later, reading(later, analysis.Healthy)); r.Phase != steps.Baking {
		t.Fatalf("%s outside the window, though baked and healthy", r.Phase)
	}
	if r, _ = r.Next(later, reading(later, analysis.Unhealthy)); r.Phase != steps.Reverting {
		t.Fatalf("%s: the way back waits for a window", r.Phase)
	}
}
