package steps

import (
	"errors"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Window is a time that comes again by a cron line, or one that comes once.
type Window struct {
	Open string        `json:"open,omitempty"` // a cron line, with CRON_TZ=… in front for a time zone other than UTC
	For  time.Duration `json:"for,omitempty"`  // how long it is open from each of its times; elapsed time, whatever the clocks do
	From time.Time     `json:"from,omitzero"`  // once: from here
	To   time.Time     `json:"to,omitzero"`    // until before here
}

var (
	errNever = errors.New("it never opens")
	errZone  = errors.New("a time zone alone is no line")
	errEvery = errors.New("@every is no time of day")
)

// schedule reads the cron line.
func (w Window) schedule() (cron.Schedule, error) {
	if zone, _, spaced := strings.Cut(strings.TrimSpace(w.Open), " "); strings.Contains(zone, "TZ=") && !spaced {
		return nil, errZone // the library panics
	}
	return cron.ParseStandard(w.Open)
}

// Validate refuses a window that cannot be understood, or that never opens within the five years cron looks ahead.
func (w Window) Validate(now time.Time) error {
	if w.Open == "" {
		return nil
	}
	s, err := w.schedule()
	if err != nil {
		return err
	}
	if _, ok := s.(*cron.SpecSchedule); !ok {
		return errEvery
	}
	if s.Next(now).IsZero() {
		return errNever
	}
	return nil
}

// is reports whether the window is open at an instant. A line that cannot be read is never open: plans are validated.
func (w Window) is(now time.Time) bool {
	if w.Open == "" {
		return !now.Before(w.From) && now.Before(w.To)
	}
	s, err := w.schedule()
	if err != nil {
		return false
	}
	begin := s.Next(now.UTC().Add(-w.For))
	return !begin.IsZero() && !begin.After(now)
}

// next is when the window opens after an instant; zero when it never does.
func (w Window) next(now time.Time) time.Time {
	if w.Open == "" {
		if now.Before(w.From) {
			return w.From
		}
		return time.Time{}
	}
	s, err := w.schedule()
	if err != nil {
		return time.Time{}
	}
	return s.Next(now.UTC()).UTC()
}

// closes is when an open window ends.
func (w Window) closes(now time.Time) time.Time {
	if w.Open == "" {
		return w.To
	}
	s, err := w.schedule()
	if err != nil {
		return now
	}
	begin := s.Next(now.UTC().Add(-w.For))
	for again := s.Next(begin); !again.IsZero() && !again.After(now); again = s.Next(begin) {
		begin = again
	}
	return begin.Add(w.For).UTC()
}

// MayAdvance reports whether a step may begin at an instant: an advance window is open, where there is one, and no
// freeze. Where not, it says why and from when it may be looked at again. The way back is free at all times.
func (p Plan) MayAdvance(now time.Time) (ok bool, why string, again time.Time) {
	for _, f := range p.Freeze {
		if f.is(now) {
			return false, "frozen", f.closes(now)
		}
	}
	if p.Advance == nil || p.Advance.is(now) {
		return true, "", time.Time{}
	}
	return false, "outside the advance window", p.Advance.next(now)
}

// maxWindows bounds the search for an instant at which a step may begin: windows and freezes that take turns for longer
// leave it to a person.
const maxWindows = 1000

// advanceFrom is the first instant from t on at which a step may begin; false when none is found.
func (p Plan) advanceFrom(t time.Time) (time.Time, bool) {
	for range maxWindows {
		ok, _, again := p.MayAdvance(t)
		if ok {
			return t, true
		}
		if !again.After(t) {
			break
		}
		t = again
	}
	return time.Time{}, false
}
