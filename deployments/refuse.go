package deployments

import "errors"

// RefusedError says that an input is wrong for good: trying again cannot help. It is dead-lettered, not retried.
type RefusedError struct {
	Reason string // one lower-case word with underscores, the last token of the dead letter's subject
	Err    error  // for people: what is wrong, and the cure
}

// Refuse marks err as a refusal for the reason.
func Refuse(reason string, err error) error { return &RefusedError{Reason: reason, Err: err} }

// Error is what is wrong, in words.
func (e *RefusedError) Error() string {
	if e.Err == nil {
		return e.Reason
	}
	return e.Err.Error()
}

// Unwrap is the error that was refused for.
func (e *RefusedError) Unwrap() error { return e.Err }

// Refusal is the reason of the refusal in err's chain, "" when there is none.
func Refusal(err error) string {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return refused.Reason
	}
	return ""
}
