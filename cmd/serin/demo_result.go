package main

import (
	"slices"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// demoResult is what `serin demo --json` prints.
type demoResult struct {
	Fault         string        `json:"fault"`
	OK            bool          `json:"ok"` // everything went as the fault demands
	Why           string        `json:"why,omitempty"`
	Releases      []demoRelease `json:"releases"`
	SlackMessages int           `json:"slack_messages"`
	Seconds       float64       `json:"seconds"`
	Keep          *demoKept     `json:"keep,omitempty"`
}

// demoRelease is what became of one release, as the journal tells.
type demoRelease struct {
	Version string    `json:"version"`
	Outcome string    `json:"outcome"`
	Cause   string    `json:"cause"`
	Weights []float64 `json:"weights"` // shares that were confirmed, in percent
	Rollout string    `json:"rollout"`
	*demoFailure
}

// demoFailure is why and how a release was taken back.
type demoFailure struct {
	FailedRule    string           `json:"failed_rule"`
	Value         *analysis.Number `json:"value,omitempty"` // there is none where the data was lost
	Limit         *analysis.Number `json:"limit,omitempty"`
	Samples       *analysis.Number `json:"samples,omitempty"`
	Stable        *analysis.Number `json:"stable,omitempty"` // the value of the stable version
	FlagConfirmed bool             `json:"flag_confirmed"`
	// Both run to Off: DecisionToOff from the arrival of the deciding reading, FaultToOff from the fault's first bad
	// response.
	DecisionToOff  int64 `json:"decision_to_off_ms"`
	FaultToOff     int64 `json:"fault_to_off_ms"`
	CanaryAfterOff int   `json:"canary_requests_after_off"`
	RollbackEvent  bool  `json:"rollback_event"` // seen on the stream
	SlackAlert     bool  `json:"slack_alert"`    // arrived at the receiver

	Reason     string    `json:"reason"`
	At         time.Time `json:"at,omitzero"`           // the instant the queries were asked for
	Queries    []string  `json:"queries"`               // as sent: the value's, or those of bad and total
	Decided    time.Time `json:"decided_at"`            // when the deciding reading had arrived and was weighed
	Confirmed  time.Time `json:"confirmed_at,omitzero"` // when Serin had confirmed the switch
	Off        time.Time `json:"off_at,omitzero"`       // when it was confirmed, and the application's own client served it
	faultBegan time.Time
}

// releaseOf reads what became of a rollout from its entries, oldest first.
func releaseOf(version string, entries []deployments.Entry) demoRelease {
	out := demoRelease{Version: version, Weights: []float64{}}
	var was steps.Rollout
	for _, e := range entries {
		r := e.State.Rollout
		if r == nil || r.Version != version {
			continue
		}
		if !r.StepBegan.IsZero() && !r.StepBegan.Equal(was.StepBegan) {
			out.Weights = append(out.Weights, r.Confirmed.Percent())
		}
		if r.Failure != nil && was.Failure == nil {
			out.demoFailure = failureOf(e, *r.Failure)
		}
		if f := out.demoFailure; f != nil {
			f.off(*r.Failure)
		}
		was = *r
		out.Rollout, out.Outcome, out.Cause = r.ID, string(r.Outcome), string(r.Cause)
	}
	return out
}

// failureOf reads the decision from the entry that holds it.
func failureOf(e deployments.Entry, f steps.FailureState) *demoFailure {
	out := &demoFailure{Reason: f.Reason, Decided: e.At, Queries: []string{}}
	if len(f.Rules) == 0 {
		return out
	}
	out.FailedRule = f.Rules[0]
	at := slices.IndexFunc(e.Evidence, func(j analysis.Judgement) bool { return j.Rule == out.FailedRule })
	if at < 0 {
		return out
	}
	r := e.Evidence[at].Reading
	out.Value, out.Limit, out.Samples, out.Stable, out.At = r.Value, r.Limit, r.Samples, r.Stable, r.At
	for _, q := range []string{r.Query, r.BadQuery, r.TotalQuery} {
		if q != "" {
			out.Queries = append(out.Queries, q)
		}
	}
	return out
}

// off notes the confirmation of the switch.
func (f *demoFailure) off(state steps.FailureState) {
	for _, a := range state.Actions {
		if a.Kind == steps.RollbackAction && !a.Confirmed.IsZero() && !f.FlagConfirmed {
			f.FlagConfirmed, f.Confirmed = true, a.Confirmed
		}
	}
}

// suffered notes when the fault began to hurt, and when the application had the switch; zero: it did not.
func (f *demoFailure) suffered(began, gone time.Time) {
	f.faultBegan = began
	if !f.FlagConfirmed || gone.IsZero() {
		return
	}
	if f.Off = f.Confirmed; gone.After(f.Off) {
		f.Off = gone
	}
	f.DecisionToOff = f.Off.Sub(f.Decided).Milliseconds()
	if !began.IsZero() {
		f.FaultToOff = f.Off.Sub(began).Milliseconds()
	}
}
