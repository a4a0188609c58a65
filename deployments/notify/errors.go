package notify

import (
	"errors"
	"time"
)

// RetryAfterError says that the receiver did not take an event now, and when to try again. An error that is no
// RetryAfterError is a deployments.RefusedError: no further try can help.
type RetryAfterError struct {
	After time.Duration
	Err   error
}

// RetryAfter is how long to wait before the next try.
func (e *RetryAfterError) RetryAfter() time.Duration { return e.After }

// WaitsItsTurn reports that this was no try: the receiver was not asked.
func (e *RetryAfterError) WaitsItsTurn() bool {
	return errors.Is(e.Err, errPace) || errors.Is(e.Err, errQuiet)
}

// LeftAlone reports that the receiver was not asked because it failed just before.
func (e *RetryAfterError) LeftAlone() bool { return errors.Is(e.Err, errQuiet) }

// Error says why, and when to try again.
func (e *RetryAfterError) Error() string {
	return e.Err.Error() + "; again in " + e.After.Round(time.Millisecond).String()
}

// Unwrap is why the event was not taken.
func (e *RetryAfterError) Unwrap() error { return e.Err }

// errUntold says that there was nothing to tell the receiver.
var errUntold = errors.New("there is nothing to tell")
