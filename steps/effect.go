package steps

import "time"

// Target names what an Expose changes: the mover, or a flag that is turned off as an action.
type Target string

// Traffic is the target that stands for the plan's mover.
const Traffic Target = "traffic"

// FlagTarget is the target of turning a feature flag off.
func FlagTarget(key string) Target { return Target("flag/" + key) }

// Ready is the target of a Probe's answer.
const Ready Target = "ready"

// Exposure is what the world should look like now. It is absolute, so that doing it twice changes nothing.
type Exposure struct {
	Share    Share    `json:"share"`              // of traffic that may see the new version; for a flag action always 0
	Audience Audience `json:"audience,omitempty"` // that sees it besides; a share of 0 with an audience is an exposure
	Version  string   `json:"version,omitempty"`  // the new version
	Stable   string   `json:"stable,omitempty"`   // what the rest sees; "" when there is none yet
	Kill     bool     `json:"kill,omitempty"`     // take back: Share is 0, there is no Audience, and the rollout is latched
}

// Effect is something the world should do. There are four kinds: Probe, Expose, Measure, Announce.
type Effect interface{ effect() }

// Probe asks whether the new version is ready for its first traffic, until it is. It changes nothing. Its answer is an
// Applied with the target Ready.
type Probe struct {
	Seq uint64 `json:"seq"`
}

// Expose asks for an exposure. Its answer is an Applied with the same Seq and Target.
type Expose struct {
	Seq      uint64   `json:"seq"`
	Target   Target   `json:"target"`
	Exposure Exposure `json:"exposure"`
}

// Measure asks for readings, whenever their rules are due, until the state asks for other ones.
type Measure struct {
	Seq    uint64    `json:"seq"`
	Rules  []string  `json:"rules"`            // names
	Since  time.Time `json:"since"`            // no window reaches behind it
	Inside time.Time `json:"inside"`           // passing windows lie wholly after it; samples count from it
	Seen   []string  `json:"seen,omitempty"`   // rules that had data on this rollout
	Stable bool      `json:"stable,omitempty"` // ask for the stable version: after a rollback it serves the users
}

// Announce says that the rollout has changed. The journal entry is the announcement; nothing else performs it.
type Announce struct {
	Seq    uint64 `json:"seq"`
	Phase  Phase  `json:"phase"`
	Reason string `json:"reason,omitempty"`
}

func (Probe) effect()    {}
func (Expose) effect()   {}
func (Measure) effect()  {}
func (Announce) effect() {}
