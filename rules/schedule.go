package rules

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/robfig/cron/v3"
)

// MinInterval is the shortest interval a rule may have.
const MinInterval = 100 * time.Millisecond

// Schedule says when a rule is read: a plain interval, or a cron line. The zero Schedule is never due.
type Schedule struct {
	text  string
	every time.Duration
	cron  cron.Schedule
}

// Interval is the schedule of a plain interval.
func Interval(every time.Duration) Schedule {
	return Schedule{text: model.Duration(every).String(), every: every}
}

// ParseSchedule reads a duration (30s), a cron line of five fields (*/5 * * * *) or a descriptor (@hourly). Cron lines
// are in UTC, unless they begin with CRON_TZ=ZONE.
func ParseSchedule(text string) (Schedule, error) {
	if d, err := model.ParseDuration(text); err == nil {
		return interval(text, time.Duration(d))
	}
	if zone, rest, ok := strings.Cut(text, "="); ok && strings.HasSuffix(zone, "TZ") && !strings.Contains(rest, " ") {
		return Schedule{}, fmt.Errorf("%q has no schedule after the time zone", text) // the library would panic
	}
	c, err := cron.ParseStandard(text)
	if err != nil {
		return Schedule{}, fmt.Errorf("%q is neither a duration nor a cron line: %w", text, err)
	}
	if d, ok := c.(cron.ConstantDelaySchedule); ok { // @every 30s
		return interval(text, d.Delay)
	}
	if c.Next(time.Unix(0, 0).UTC()).IsZero() {
		return Schedule{}, fmt.Errorf("the day of %q never comes", text)
	}
	return Schedule{text: text, cron: c}, nil
}

func interval(text string, d time.Duration) (Schedule, error) {
	if d < MinInterval {
		return Schedule{}, fmt.Errorf("an interval of %s is shorter than %s", d, MinInterval)
	}
	return Schedule{text: text, every: d}, nil
}

// String is the schedule as written.
func (s Schedule) String() string { return s.text }

// Equal reports whether both are written alike.
func (s Schedule) Equal(t Schedule) bool { return s.text == t.text }

// Every is the plain interval; 0 for cron lines.
func (s Schedule) Every() time.Duration { return s.every }

// Next is the first instant after `after` at which the rule is due, in UTC. Of a plain interval these are the multiples
// of the interval since the Unix epoch, shifted by phase; a cron line has its own instants and no phase. It is the zero
// time when there is none.
func (s Schedule) Next(after time.Time, phase time.Duration) time.Time {
	switch {
	case s.cron != nil:
		next := s.cron.Next(after.UTC())
		if next.IsZero() {
			return time.Time{}
		}
		return next.UTC()
	case s.every <= 0:
		return time.Time{}
	}
	since := (after.UnixNano() - int64(phase)) % int64(s.every)
	if since < 0 {
		since += int64(s.every)
	}
	return after.UTC().Add(s.every - time.Duration(since)).Round(0)
}

// Phase shifts the instants of one policy against those of others, so that they do not all ask at once, while rollouts
// of the same policy share theirs. It lies in [0, interval), on a whole second where the interval is at least 2s.
// Intervals that divide one another keep common instants.
func Phase(source, policyHash string, interval time.Duration) time.Duration {
	if interval <= 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(source + "\x00" + policyHash))
	unit := time.Second
	if interval < 2*time.Second {
		unit = time.Millisecond
	}
	return time.Duration(h.Sum64() % uint64(interval)).Truncate(unit)
}

// NextDue is the first instant after `after` at which any of the rules is due; the zero time when there is none.
func (s Set) NextDue(after time.Time, source, policyHash string) time.Time {
	var first time.Time
	for _, r := range s {
		next := r.Schedule.Next(after, Phase(source, policyHash, r.Schedule.Every()))
		if !next.IsZero() && (first.IsZero() || next.Before(first)) {
			first = next
		}
	}
	return first
}

// Due names the rules that are due at exactly this instant, which NextDue returned.
func (s Set) Due(at time.Time, source, policyHash string) []string {
	var names []string
	for _, r := range s {
		if r.Schedule.Next(at.Add(-1), Phase(source, policyHash, r.Schedule.Every())).Equal(at) {
			names = append(names, r.Name)
		}
	}
	return names
}
