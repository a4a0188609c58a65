package deployments

import "regexp"

// Trace is the W3C trace context that a release carried. Its events carry it on; Serin adds no span of its own.
type Trace struct {
	Parent string `json:"parent,omitempty"` // traceparent
	State  string `json:"state,omitempty"`  // tracestate
}

var (
	traceParent = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)
	traceState  = regexp.MustCompile(`^[\x21-\x7e]([\x20-\x7e]{0,510}[\x21-\x7e])?$`)
)

// NewTrace is the trace context of a traceparent and a tracestate. One that is not of its form counts as absent, as the
// specification has it; a tracestate says nothing without a traceparent.
func NewTrace(parent, state string) Trace {
	switch {
	case !traceParent.MatchString(parent):
		return Trace{}
	case !traceState.MatchString(state):
		state = ""
	}
	return Trace{Parent: parent, State: state}
}
