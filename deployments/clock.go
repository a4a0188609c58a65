package deployments

import (
	"time"

	"github.com/serin-cd/serin/steps"
)

// setBack keeps measuring when the clock was set back: what was noted lies ahead of it then, and without this nothing
// would be read until the clock has come there again.
func (m *measuring) setBack(now time.Time, lag time.Duration) {
	if m.after.After(now) {
		m.after = now.Add(-lag)
	}
	if m.began.After(now) {
		m.began = now
	}
}

// past is what is to be read, with no instant behind the one at which measuring began. One that lies there was noted by
// a clock that was ahead: a bad release would not be taken back until that instant has come.
func (m *measuring) past() steps.Measure {
	out := m.Measure
	out.Since, out.Inside = earlier(out.Since, m.began), earlier(out.Inside, m.began)
	return out
}

func earlier(a, b time.Time) time.Time {
	if a.After(b) {
		return b
	}
	return a
}
