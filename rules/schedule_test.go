package rules_test

import (
	"testing"
	"time"
	_ "time/tzdata" // a machine without time zones runs this test too

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/serin-cd/serin/rules"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

func TestNextIsTheFirstInstantAfter(t *testing.T) {
	for name, c := range map[string]struct {
		schedule string
		after    string
		phase    time.Duration
		want     string
	}{
		"interval":              {"30s", "2026-01-01T00:00:01Z", 0, "2026-01-01T00:00:30Z"},
		"strictly after":        {"30s", "2026-01-01T00:00:30Z", 0, "2026-01-01T00:01:00Z"},
		"phase":                 {"30s", "2026-01-01T00:00:01Z", 7 * time.Second, "2026-01-01T00:00:07Z"},
		"phase, strictly after": {"30s", "2026-01-01T00:00:07Z", 7 * time.Second, "2026-01-01T00:00:37Z"},
		"milliseconds":          {"500ms", "2026-01-01T00:00:00.3Z", 0, "2026-01-01T00:00:00.5Z"},
		"before the epoch":      {"1m", "1969-12-31T23:59:01Z", 0, "1970-01-01T00:00:00Z"},
		"in UTC":                {"1h", "2026-01-01T09:30:00+09:00", 0, "2026-01-01T01:00:00Z"},
		"@every":                {"@every 45s", "2026-01-01T00:00:01Z", 0, "2026-01-01T00:00:45Z"},
		"cron, no phase":        {"*/5 * * * *", "2026-01-01T00:00:01Z", 7 * time.Second, "2026-01-01T00:05:00Z"},
		"cron, strictly after":  {"*/5 * * * *", "2026-01-01T00:05:00Z", 0, "2026-01-01T00:10:00Z"},
		"cron is in UTC":        {"0 9 * * *", "2026-01-01T09:30:00+09:00", 0, "2026-01-01T09:00:00Z"},
		"descriptor":            {"@hourly", "2026-01-01T00:00:01Z", 0, "2026-01-01T01:00:00Z"},
		"zone, over a weekend":  {"CRON_TZ=Asia/Seoul 0 9 * * MON-FRI", "2026-01-02T00:00:00Z", 0, "2026-01-05T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := rules.ParseSchedule(c.schedule)
			if err != nil {
				t.Fatal(err)
			}
			got := s.Next(at(c.after), c.phase)
			if diff := cmp.Diff(at(c.want).UTC(), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestEveryIsThePlainInterval(t *testing.T) {
	for text, want := range map[string]time.Duration{"1m30s": 90 * time.Second, "@every 2m": 2 * time.Minute, "@daily": 0, "* * * * *": 0} {
		s, err := rules.ParseSchedule(text)
		if err != nil || s.Every() != want || s.String() != text {
			t.Errorf("%s: got %s, %v", text, s.Every(), err)
		}
	}
}

func TestTheZeroScheduleIsNeverDue(t *testing.T) {
	if next := (rules.Schedule{}).Next(at("2026-01-01T00:00:00Z"), 0); !next.IsZero() {
		t.Errorf("got %s", next)
	}
}

func TestPhasesAreSharedByAPolicy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source, hash := rapid.String().Draw(t, "source"), rapid.String().Draw(t, "hash")
		short := time.Duration(rapid.Int64Range(1, 100).Draw(t, "seconds")) * time.Second
		long := short * time.Duration(rapid.Int64Range(1, 50).Draw(t, "times"))
		a, b := rules.Phase(source, hash, short), rules.Phase(source, hash, long)
		if a < 0 || a >= short || short >= 2*time.Second && a%time.Second != 0 {
			t.Fatalf("phase %s of %s", a, short)
		}
		if short >= 2*time.Second && b%short != a {
			t.Fatalf("phases %s of %s and %s of %s have no common instants", a, short, b, long)
		}
	})
	if rules.Phase("a", "b", 0) != 0 {
		t.Error("no interval has a phase")
	}
	if rules.Phase("a", "bc", time.Hour) == rules.Phase("ab", "c", time.Hour) {
		t.Error("source and hash run into one another")
	}
}

func TestEveryRuleIsDueAtItsOwnInstants(t *testing.T) {
	set := rules.Set{
		{Name: "fast", Schedule: rules.Interval(30 * time.Second)},
		{Name: "slow", Schedule: rules.Interval(time.Minute)},
		{Name: "never"},
	}
	hourly, err := rules.ParseSchedule("@hourly")
	if err != nil {
		t.Fatal(err)
	}
	set = append(set, rules.Rule{Name: "hourly", Schedule: hourly})
	start := at("2026-01-01T00:00:00Z").UTC()
	counts := map[string]int{}
	for now := set.NextDue(start, "http://prometheus", "hash"); now.Before(start.Add(time.Hour + time.Second)); now = set.NextDue(now, "http://prometheus", "hash") {
		names := set.Due(now, "http://prometheus", "hash")
		if len(names) == 0 {
			t.Fatalf("nothing is due at %s, which NextDue returned", now)
		}
		for _, name := range names {
			counts[name]++
		}
		if counts["slow"] > counts["fast"] {
			t.Fatalf("slow without fast at %s", now)
		}
	}
	if diff := cmp.Diff(map[string]int{"fast": 120, "slow": 60, "hourly": 1}, counts); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if next := (rules.Set{}).NextDue(start, "", ""); !next.IsZero() {
		t.Errorf("no rules are due at %s", next)
	}
}

func FuzzParseSchedule(f *testing.F) {
	for _, text := range []string{"30s", "*/5 * * * *", "@hourly", "@every 1h", "CRON_TZ=Asia/Seoul 0 9 * * MON-FRI", "TZ=UTC", "TZ=", "0 0 30 2 *", "CRON_TZ= * * * * *"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := rules.ParseSchedule(text)
		if err != nil {
			return
		}
		now := at("2026-01-01T00:00:00.5Z")
		if next := s.Next(now, 0); !next.IsZero() && !next.After(now) {
			t.Errorf("%q: %s is not after %s", text, next, now)
		}
	})
}
