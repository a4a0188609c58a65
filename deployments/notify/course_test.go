package notify_test

import (
	"testing"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/notify"
	"github.com/serin-cd/serin/steps"
)

// courses are what a rollout tells of when nothing needs a person, in order.
func courses() map[string][]deployments.Event {
	facts := func(names ...string) []deployments.Event {
		var all []deployments.Event
		for _, name := range names {
			all = append(all, event(name, nil))
		}
		return all
	}
	began := append(facts("release.accepted"), event("step.started", func(e *deployments.Event) { e.Data.Step = 1 }))
	began = append(began, facts("traffic.requested", "traffic.confirmed", "step.passed", "step.started", "traffic.requested", "traffic.confirmed", "rule.failing")...)
	off := func(confirmed ...bool) (all []steps.ActionState) {
		for _, c := range confirmed {
			a := steps.ActionState{Action: steps.Action{Kind: steps.FlagOff, Key: "f"}}
			if c {
				a.Confirmed = start
			}
			all = append(all, a)
		}
		return all
	}
	disabled := func(actions ...bool) deployments.Event {
		return event("flag.disabled", func(e *deployments.Event) { turnedBack(&e.Data); e.Data.Actions = off(actions...) })
	}
	back := []deployments.Event{event("rollout.failed", func(e *deployments.Event) { turnedBack(&e.Data) }), event("rollback.requested", func(e *deployments.Event) { turnedBack(&e.Data) }),
		event("rollback.completed", func(e *deployments.Event) { confirmed(&e.Data) }), event("rule.recovered", func(e *deployments.Event) { confirmed(&e.Data) }), event("rollout.restored", func(e *deployments.Event) { confirmed(&e.Data) })}
	join := func(all ...[]deployments.Event) (out []deployments.Event) {
		for _, a := range all {
			out = append(out, a...)
		}
		return out
	}
	return map[string][]deployments.Event{
		"promoted":        join(began, facts("step.passed", "step.started", "traffic.confirmed", "step.passed", "rollout.promoted")),
		"rolled back":     join(began, back),
		"three flags off": join(began, back[:1], []deployments.Event{disabled(true, false, false), disabled(true, true, false), disabled(true, true, true)}, back[3:]),
		"aborted":         join(began, facts("rollout.paused", "rollout.aborted"), back[1:]),
		"superseded":      join(began, facts("release.superseded"), back[1:]),
		"not ready":       join(facts("release.accepted", "rollout.not_ready")),
	}
}

func TestARolloutThatNeedsNobodyIsAtMostFourMessages(t *testing.T) {
	hook := notify.Receiver{Kind: notify.SlackWebhook}
	for name, events := range courses() {
		var told []string
		for _, e := range events {
			if hook.Wants(e) {
				told = append(told, e.Name)
			}
		}
		if len(told) == 0 || len(told) > 4 {
			t.Errorf("%s: %q", name, told)
		}
	}
}
