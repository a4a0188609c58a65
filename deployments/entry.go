package deployments

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/steps"
)

// EntryVersion is the version of the journal's format. Fields are only added within a version.
const EntryVersion = 1

// Logic names the decision rules an entry was decided by; it changes when Next decides anything differently.
const Logic = "1"

// State is all that a slot remembers.
type State struct {
	Rollout    *steps.Rollout `json:"rollout,omitempty"`    // the live rollout, or the last one
	Release    *Release       `json:"release,omitempty"`    // the release it came from
	Policy     string         `json:"policy,omitempty"`     // hash of the policy it runs by
	Source     string         `json:"source,omitempty"`     // the policy's own Prometheus, for links; no secrets
	Stable     string         `json:"stable,omitempty"`     // the last promoted version
	Queue      []Queued       `json:"queue,omitempty"`      // releases that wait for the slot, at most MaxQueue
	Accounts   *Accounts      `json:"accounts,omitempty"`   // what reports need of the policy it runs by
	Generation uint64         `json:"generation,omitempty"` // counts the slot's rollouts: a later one fences off an earlier
}

// Queued is a release that waits for its slot.
type Queued struct {
	Release Release   `json:"release"`
	Policy  string    `json:"policy"`
	At      time.Time `json:"at"`
}

// MaxQueue is how many releases may wait for one slot.
const MaxQueue = 8

// Live reports whether a rollout is under way.
func (s State) Live() bool { return s.Rollout != nil && s.Rollout.Phase != steps.Ended }

// Entry is one revision of a slot: state, audit trail, outbox and replay in one. It is written exactly when the state
// changes, before anything is done about it.
type Entry struct {
	V        int                  `json:"v"`
	Logic    string               `json:"logic"`
	Slot     Slot                 `json:"slot"`
	Rollout  string               `json:"rollout,omitempty"`
	Rev      uint64               `json:"rev"` // counts the slot's entries from 1
	Seq      uint64               `json:"seq"`
	At       time.Time            `json:"at"`
	By       string               `json:"by"` // the worker that wrote it
	Op       string               `json:"op"` // unique to this write: tells a landed write from a lost race
	Input    json.RawMessage      `json:"input,omitempty"`
	State    State                `json:"state"`
	Evidence []analysis.Judgement `json:"evidence,omitempty"` // what the decision rests on
	Note     string               `json:"note,omitempty"`     // in words, what happened
	After    uint64               `json:"after,omitempty"`    // stream sequence of the slot's entry before this one; 0: none

	Sequence uint64 `json:"-"` // this entry's own stream sequence, set when it is read
}

// ErrConflict says that somebody else has written the slot: load and decide again.
var ErrConflict = errors.New("the slot has a newer entry")

// ErrNewer says that an entry was written in a later format than this program knows.
var ErrNewer = errors.New("the journal was written by a later version of serin")

// Journal keeps the slots.
type Journal interface {
	// Last is the slot's newest entry; the zero Entry when there is none.
	Last(ctx context.Context, s Slot) (Entry, error)
	// Append writes e if the slot's newest entry has the stream sequence e.After, and returns e's own sequence.
	// ErrConflict: it has not. After an error of the connection Append finds out whether the write landed (by Op).
	Append(ctx context.Context, e Entry) (uint64, error)
	// Watch delivers the newest entry of each slot of a partition, then a zero Entry, then every later entry, until
	// ctx ends; the channel is then closed. It recovers from lost connections by itself.
	Watch(ctx context.Context, partition int) (<-chan Entry, error)
}

// Leases hands out partitions. They only save work: safety rests on Append.
type Leases interface {
	// Hold takes up to capacity partitions, keeps them, and calls hold for each in a goroutine of its own. The
	// context of a call ends when its lease is given back or can no longer be trusted. Hold returns when ctx has
	// ended, all calls have returned and all leases are handed back.
	Hold(ctx context.Context, capacity int, hold func(ctx context.Context, partition int)) error
}

// PolicyStore keeps policies by the hash of their text, and which one a slot's next release is accepted by.
type PolicyStore interface {
	Put(ctx context.Context, hash string, text []byte) error
	Policy(ctx context.Context, hash string) ([]byte, error) // ErrNoPolicy
	// Offer names the policy for new releases of a slot, Offered returns it. ErrStays: another worker offers another one.
	Offer(ctx context.Context, s Slot, hash string) error
	Offered(ctx context.Context, s Slot) (string, error) // ErrNoPolicy
}

// ErrStays says that a running worker offers another policy for the slot, which stays that of new releases.
var ErrStays = errors.New("a running worker offers another policy, which stays")

// ErrNoPolicy says that there is no such policy.
var ErrNoPolicy = errors.New("no policy")
