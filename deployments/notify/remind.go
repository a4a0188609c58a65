package notify

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// NeedsPerson reports whether an event says that a rollout waits for a person, who is told again until it does not:
// an approval, a rollback that is not confirmed, and traffic that is not.
func NeedsPerson(e deployments.Event) bool {
	switch e.Name {
	case "approval.requested":
		return !Inhibited(e)
	case "rollback.failed", "traffic.unconfirmed":
		return true
	}
	return false
}

// Waits reports whether what an event asked a person for is still so, by the present state of its slot.
func Waits(e deployments.Event, s deployments.State) bool {
	r := s.Rollout
	if r == nil || r.ID != e.Data.Rollout {
		return false
	}
	switch e.Name {
	case "approval.requested":
		return r.Phase == steps.AwaitingApproval && !r.Approved && r.Step+1 == e.Data.Step
	case "rollback.failed":
		return r.Failure != nil && r.Unconfirmed
	case "traffic.unconfirmed":
		return r.Failure == nil && r.Unconfirmed && r.Phase != steps.Ended
	}
	return false
}

// reminders tell one receiver again of what waits for a person. What waits, and when it was last told, is in the memory:
// of all workers the one that writes the time first tells.
type reminders struct {
	receiver Receiver
	memory   List
	state    func(ctx context.Context, s deployments.Slot) (deployments.State, error)
	tell     func(ctx context.Context, e deployments.Event, again int) error
	now      func() time.Time
	log      *slog.Logger
}

// waiting is something that a person was asked for.
type waiting struct {
	Event deployments.Event `json:"event"`
	Told  time.Time         `json:"told"`
	Again int               `json:"again"`
}

func (r reminders) prefix() string { return "waits." + r.receiver.Name + "." }

// note remembers an event that needs a person.
func (r reminders) note(ctx context.Context, e deployments.Event) error {
	if r.receiver.Repeat <= 0 || !NeedsPerson(e) {
		return nil
	}
	const limit = 3 * time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	key := keyOf("waits", r.receiver.Name, e.Slot.String()+"/"+e.Name)
	var w waiting
	revision, err := load(ctx, r.memory, key, &w)
	if err != nil || w.Event.Data.Rollout == e.Data.Rollout && w.Event.Data.Rev >= e.Data.Rev {
		return err
	}
	if !w.Event.Time.Before(e.Time) { // an older rollout's, late
		return nil
	}
	e.Data.Evidence = kept(e.Data.Evidence)
	_, err = save(ctx, r.memory, key, waiting{Event: e, Told: now(r.now)}, revision)
	return err // whoever was first noted the same event, or a newer one
}

// run looks after what waits until ctx ends.
func (r reminders) run(ctx context.Context) error {
	const most = 30 * time.Second
	every := min(r.receiver.Repeat/10, most)
	for {
		timer := time.NewTimer(every)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		if err := r.look(ctx); err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "reminders not looked after", slog.String("receiver", r.receiver.Name), slog.Any("error", err))
		}
	}
}

// look tells again what is due.
func (r reminders) look(ctx context.Context) error {
	keys, err := r.memory.Keys(ctx, r.prefix())
	if err != nil {
		return err
	}
	var failed []error
	for _, key := range keys {
		if strings.HasPrefix(key, r.prefix()) {
			failed = append(failed, r.remind(ctx, key))
		}
	}
	return errors.Join(failed...)
}

// remind tells of one thing again if it is due. The time is written before the receiver hears of it, so that of all
// workers one tells; a worker that dies between the two costs one reminder, and the next one comes.
func (r reminders) remind(ctx context.Context, key string) error {
	var w waiting
	revision, err := load(ctx, r.memory, key, &w)
	at := now(r.now)
	if since := at.Sub(w.Told); err != nil || revision == 0 || since < r.receiver.Repeat && since > -longestRetry { // before that a clock was ahead
		return err
	}
	state, err := r.state(ctx, w.Event.Slot)
	if err != nil {
		return err
	}
	if !Waits(w.Event, state) {
		return r.memory.Forget(ctx, key, revision)
	}
	w.Told, w.Again = at, w.Again+1
	if revision, err = save(ctx, r.memory, key, w, revision); err != nil || revision == 0 {
		return err
	}
	err = r.tell(ctx, w.Event, w.Again)
	var later interface{ RetryAfter() time.Duration }
	if errors.As(err, &later) && ctx.Err() == nil {
		w.Told, w.Again = at.Add(later.RetryAfter()-r.receiver.Repeat), w.Again-1
		_, lost := save(ctx, r.memory, key, w, revision)
		return lost
	}
	return err
}
