package deployments

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/serin-cd/serin/steps"
)

// Accept takes in a release: any worker may, for any slot. It returns the answer; a refusal (Refuse) says that trying
// again cannot help, any other error that it may.
func (w *Worker) Accept(ctx context.Context, rel Release) (Answer, error) {
	w.prepare()
	for {
		last, err := w.Journal.Last(ctx, rel.Slot)
		if err != nil {
			return "", fmt.Errorf("load %s: %w", rel.Slot, err)
		}
		answer, err := w.accept(ctx, last, rel)
		if !errors.Is(err, ErrConflict) {
			return answer, err
		}
	}
}

func (w *Worker) accept(ctx context.Context, last Entry, rel Release) (Answer, error) {
	last.Slot = rel.Slot
	p, err := w.offered(ctx, rel.Slot)
	if err != nil {
		return "", err
	}
	answer, why := last.State.Judge(rel, p.OnNewRelease)
	var refusal error
	switch answer {
	case Accepted:
		if last.State.Stable, refusal, err = w.check(ctx, last.State, rel, p); err != nil {
			return "", err
		}
		if refusal != nil {
			answer, why = Rejected, refusal.Error()
		}
	case Rejected:
		refusal = Refuse("busy", errors.New(why))
	case Duplicate, Outdated, Supersedes, Waits, Queues:
	}
	next, err := last.Admit(w.now(), rel, answer, why, p, false)
	if err != nil {
		return "", Refuse("invalid_policy", err)
	}
	if _, err := w.append(ctx, next); err != nil {
		return "", err
	}
	w.Metrics.Releases.WithLabelValues(string(answer)).Inc()
	return answer, refusal
}

// offered is the policy of a slot's new releases.
func (w *Worker) offered(ctx context.Context, s Slot) (Policy, error) {
	hash, err := w.Policies.Offered(ctx, s)
	if errors.Is(err, ErrNoPolicy) {
		return Policy{}, Refuse("no_policy", fmt.Errorf("%s has no policy: add one to the directory that `serin serve --policies` reads", s))
	}
	if err != nil {
		return Policy{}, fmt.Errorf("find the policy of %s: %w", s, err)
	}
	return w.policies.get(ctx, s, hash)
}

// check asks the mover and the flags of actions, before anything is exposed, whether they can do their part. It returns
// the stable version, which a version flag may know when the journal does not.
func (w *Worker) check(ctx context.Context, s State, rel Release, p Policy) (stable string, refusal, err error) {
	stable = s.Stable
	wish := Wish{Flags: p.Flags, Slot: rel.Slot, Generation: s.Generation + 1, Target: steps.Traffic, Mover: p.Plan.Mover,
		Exposure: steps.Exposure{Version: rel.Version, Stable: s.Stable}}
	targets := []Wish{wish}
	for _, a := range append(append([]steps.Action(nil), p.Plan.Failure.Do...), p.Plan.Failure.Else...) {
		if a.Kind == steps.FlagOff {
			off := wish
			off.Target, off.Mover = steps.FlagTarget(a.Key), steps.Mover{Kind: steps.FeatureFlag, Key: a.Key}
			targets = append(targets, off)
		}
	}
	for _, t := range targets {
		checker, ok := w.Exposers[t.Mover.Kind].(Checker)
		if !ok {
			continue
		}
		base, err := checker.Check(ctx, t)
		if Refusal(err) != "" {
			return stable, err, nil
		}
		if err != nil {
			return stable, nil, fmt.Errorf("check %s: %w", t.Target, err)
		}
		if t.Target == steps.Traffic && stable == "" {
			stable = base
		}
	}
	if stable == "" && p.Plan.Mover.Kind == steps.EventMover && !p.FirstRelease {
		return "", Refuse("first_release", fmt.Errorf("nothing was promoted in %s yet: a deployer that is asked to take %s back would have nothing to go back to; "+
			"write `first_release: allow` in the policy if yours knows what to do then", rel.Slot, rel.Version)), nil
	}
	return stable, nil, nil
}

// dequeue begins the release that has waited longest, if the slot is free.
func (w *Worker) dequeue(ctx context.Context, last Entry) (Entry, error) {
	q, ok := last.State.NextQueued()
	if !ok {
		return last, nil
	}
	p, err := w.policies.get(ctx, last.Slot, q.Policy)
	if err != nil {
		return last, err
	}
	stable, answer, why := last.State.Stable, Accepted, ""
	if stable == q.Release.Version {
		answer, why = Duplicate, stable+" serves already"
	} else {
		var refusal error
		if stable, refusal, err = w.check(ctx, last.State, q.Release, p); err != nil {
			return last, err
		}
		if refusal != nil {
			answer, why = Rejected, refusal.Error()
			w.Log.WarnContext(ctx, "release rejected", slog.String("slot", last.Slot.String()), slog.String("version", q.Release.Version), slog.String("why", why))
		}
	}
	from := last
	from.State.Stable = stable
	next, err := from.Admit(w.now(), q.Release, answer, why, p, true)
	if err != nil {
		return last, err
	}
	return w.append(ctx, next)
}
