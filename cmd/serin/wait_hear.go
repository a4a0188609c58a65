package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// hear takes an event. It returns how it ended, once it has; the zero Event says that all that was stored has been heard.
func (w *waiter) hear(e deployments.Event) *result {
	if e.Name == "" {
		w.caughtUp = true
		return w.held()
	}
	w.remember(e)
	if end := w.turnedAway(e); end != nil {
		return end
	}
	if e.Name == "release.duplicate" && w.rollout == "" && w.mine(e) {
		if last, err := w.last(); err == nil && last.State.Rollout != nil {
			w.tell(e)
			return w.duplicate(last)
		}
	}
	if !w.concerns(e) {
		if w.rollout != "" && e.Data.Rollout == w.rollout {
			w.story.take(e) // what is known already is told in the report
		}
		return nil
	}
	w.tell(e)
	if e.Data.Rollout != w.rollout || w.rollout == "" {
		return nil
	}
	w.note(e)
	if w.phase == steps.Ended {
		r := ended(e.Data)
		r.Reason = cmp.Or(w.turned, r.Reason)
		return r
	}
	return w.held()
}

// duplicate takes in what the release is a duplicate of: the slot's rollout, one that waits for the slot, or what is
// promoted already, behind which another version may have been taken back.
func (w *waiter) duplicate(last deployments.Entry) *result {
	s := last.State
	i := slices.IndexFunc(s.Queue, func(q deployments.Queued) bool { return q.Release.Version == w.rel.Version })
	switch {
	case s.Rollout.Version == w.rel.Version:
		if end := w.at(last); end != nil {
			return end
		}
		return w.held()
	case i >= 0:
		w.rel.ID = s.Queue[i].Release.ID
	case s.Stable == w.rel.Version:
		return &result{Outcome: string(steps.Promoted), Reason: "promoted before", Percent: 100}
	}
	return nil
}

// held is the end of a wait that is to end while the rollout does not go on by itself.
func (w *waiter) held() *result {
	switch {
	case w.cancelled:
		if w.unconfirmed || w.phase == steps.Recovering {
			return w.timedOut()
		}
	case !w.flags.exitOnPause || !w.caughtUp:
	case w.phase == steps.AwaitingApproval:
		return &result{Outcome: "waiting", Reason: "for approval: `serin approve " + w.rel.Service + " --env " + w.rel.Environment + "`; " + w.again(), Exit: exitPaused}
	case w.paused:
		return &result{Outcome: "waiting", Reason: "paused: `serin resume " + w.rel.Service + " --env " + w.rel.Environment + "`; " + w.again(), Exit: exitPaused}
	}
	return nil
}

// mine reports whether an event is about the release that is waited for: by its id, or before that is known by its version.
func (w *waiter) mine(e deployments.Event) bool {
	switch {
	case w.known > 0 && e.Data.Rev <= w.known:
		return false
	case w.rel.ID == "":
		return e.Data.Version == w.rel.Version && strings.HasPrefix(e.Name, "release.")
	}
	return e.Data.Release == w.rel.ID
}

// turnedAway is the end of a release that never became a rollout.
func (w *waiter) turnedAway(e deployments.Event) *result {
	switch {
	case w.rollout != "" || !w.mine(e):
	case e.Name == "release.rejected":
		return &result{Outcome: "refused", Reason: e.Data.Reason, Exit: exitNotAccepted}
	case e.Name == "release.superseded" && e.Data.Target != "":
		return &result{Outcome: "superseded", Reason: e.Data.Reason, Exit: exitSuperseded}
	}
	return nil
}

// concerns reports whether an event is news about the release or its rollout, which it notes when it is accepted.
func (w *waiter) concerns(e deployments.Event) bool {
	if w.rollout == "" && w.mine(e) {
		switch e.Name {
		case "release.accepted", "release.duplicate": // the rollout it is a duplicate of
			w.rollout, w.rel.ID = e.Data.Rollout, e.Data.Release
			return true
		case "release.queued":
			w.rel.ID = e.Data.Release
			return true
		}
	}
	return w.rollout != "" && e.Data.Rollout == w.rollout && e.Data.Rev > w.seen
}

// note remembers where the rollout is, and what its end will not say any more.
func (w *waiter) note(e deployments.Event) {
	w.phase, w.unconfirmed, w.back = e.Data.Phase, e.Data.Outcome == steps.RestoreUnconfirmed, e.Data
	switch {
	case e.Name == "rollout.paused":
		w.paused = true
	case e.Name == "rollout.resumed":
		w.paused = false
	case e.Name == "release.superseded" && e.Data.Target != "": // one that waited behind this rollout
	case slices.Contains([]string{"rollout.failed", "rollout.aborted", "rollout.not_ready", "release.superseded"}, e.Name):
		w.turned, w.paused = e.Data.Reason, false
		if w.turned == "" && e.Data.By != "" {
			w.turned = "by " + e.Data.By
		}
	}
}
