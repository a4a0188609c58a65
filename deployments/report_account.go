package deployments

import (
	"math"
	"time"

	"github.com/serin-cd/serin/steps"
)

// Account is one rollout in figures. What is not known of it is nil.
type Account struct {
	Slot
	Rollout string      `json:"rollout"`
	Version string      `json:"version"`
	Ended   time.Time   `json:"ended_at"`
	Fate    Fate        `json:"fate"`
	Cause   steps.Cause `json:"cause,omitempty"`
	Step    string      `json:"turned_back_in,omitempty"`
	Rules   []string    `json:"failed_rules,omitempty"`

	Lead    *float64 `json:"lead_seconds,omitempty"`    // of a promoted one: from its release event to the promotion
	Decide  *float64 `json:"decide_seconds,omitempty"`  // from the first bad reading to the decision to turn back
	Restore *float64 `json:"restore_seconds,omitempty"` // from the first bad reading to the confirmation that the new version has no traffic
	Healthy *float64 `json:"healthy_seconds,omitempty"` // from the first bad reading to healthy again, where that was watched

	Exposure *Exposure `json:"exposure,omitempty"`
	Requests *Requests `json:"requests,omitempty"`
	Loss     *Money    `json:"loss_avoided,omitempty"`

	faulty bool // taken back for a fault, whose interval may be known
}

// Exposure is how much of the traffic met the fault, in seconds of all traffic, from the first bad reading to the
// confirmation that the new version has none. A release to everybody at once would have had all of it for as long.
type Exposure struct {
	Fault   float64 `json:"fault_seconds"`
	Met     float64 `json:"met_seconds"`
	Avoided float64 `json:"avoided_seconds"`
}

// Requests is an exposure in requests, as far as a failed rule counts them.
type Requests struct {
	Rule    string  `json:"rule"`       // that counts them; of several the one that knows of the most failures, for others may count the same
	Rate    float64 `json:"per_second"` // of all traffic
	Avoided float64 `json:"avoided"`    // that did not meet the fault, and would have in a release to everybody at once
	Failed  float64 `json:"failed"`     // that would have failed of those, above what fails of stable's, where that is known
}

// NewAccount is the account of a rollout that has ended.
func NewAccount(s Summary) Account {
	a := Account{Slot: s.Slot, Rollout: s.Rollout, Version: s.Version, Ended: s.Ended, Fate: s.Fate(), Cause: s.Cause, Step: s.turnedIn(), Rules: s.Rules}
	switch a.Fate {
	case FatePromoted:
		a.Lead = seconds(s.published(), s.Ended)
	case FateTakenBack:
		a.faulty = s.Cause == steps.ByRules || s.Cause == steps.ByLostData
		a.fault(s)
	case FateAborted, FateSuperseded, FateNotReady, FateNeverExposed, FateOther:
	}
	return a
}

// published is when the release event was: where nobody knows, when the release was accepted.
func (s Summary) published() time.Time {
	if s.Released.IsZero() || s.Released.After(s.Began) {
		return s.Began
	}
	return s.Released
}

// turnedIn is the step in which the rollout turned back; summaries of earlier versions have only the last share that
// was confirmed.
func (s Summary) turnedIn() string {
	if s.Step == "" && s.Fate() == FateTakenBack && len(s.Confirmed) > 0 {
		return steps.Share(math.Round(s.reached() * 100)).String()
	}
	return s.Step
}

func (a *Account) fault(s Summary) {
	f := s.Fault
	if f == nil || !a.faulty {
		return
	}
	a.Decide, a.Restore, a.Healthy = seconds(f.Since, s.Turned), seconds(f.Since, f.Off), seconds(f.Since, s.Restored)
	if a.Restore == nil {
		return
	}
	met, known := Met(s.Traffic, f.Since, f.Off)
	if !known {
		return
	}
	a.Exposure = &Exposure{Fault: *a.Restore, Met: met, Avoided: max(*a.Restore-met, 0)}
	if a.Requests = f.requests(s.Traffic, a.Exposure.Avoided); a.Requests == nil || s.Accounts == nil || s.Accounts.Value == nil {
		return
	}
	a.Loss = &Money{Amount: a.Requests.Failed * s.Accounts.Value.Amount, Currency: s.Accounts.Value.Currency}
}

// seconds is the time between two instants; nil when one is not known, or they are in the wrong order: two workers'
// clocks differ.
func seconds(from, to time.Time) *float64 {
	if from.IsZero() || to.IsZero() || to.Before(from) {
		return nil
	}
	d := to.Sub(from).Seconds()
	return &d
}

// Met is the integral of the share of traffic over time, from one instant to another, in seconds of all traffic: never
// below 0, never above the time itself. It is false where the share is not known for all of the time.
func Met(course []Traffic, from, to time.Time) (seconds float64, known bool) {
	if to.Before(from) || len(course) == 0 || course[0].From.After(from) {
		return 0, false
	}
	at := from
	for i, t := range course {
		end := to
		if i+1 < len(course) && course[i+1].From.Before(to) {
			end = course[i+1].From
		}
		if !end.After(at) {
			continue
		}
		if t.Unknown || !(t.Percent >= 0 && t.Percent <= 100) {
			return 0, false
		}
		seconds += t.Percent / 100 * end.Sub(at).Seconds()
		at = end
	}
	return min(seconds, to.Sub(from).Seconds()), true
}

// requests turns an avoided exposure into requests: the rate of all traffic is what a rule counted in its window,
// divided by how much of all traffic that was.
func (f Fault) requests(course []Traffic, avoided float64) *Requests {
	var most *Requests
	for _, c := range f.Counts {
		window := time.Duration(c.Window * float64(time.Second))
		met, known := Met(course, c.At.Add(-window), c.At)
		if !known || met <= 0 || c.Total <= 0 {
			continue
		}
		bad := c.Bad / c.Total
		if c.Stable != nil {
			bad -= *c.Stable
		}
		r := Requests{Rule: c.Rule, Rate: c.Total / met}
		r.Avoided = r.Rate * avoided
		r.Failed = r.Avoided * min(max(bad, 0), 1)
		if most == nil || r.Failed > most.Failed {
			most = &r
		}
	}
	return most
}
