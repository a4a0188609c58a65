package steps

import (
	"errors"
	"fmt"
	"time"

	"github.com/serin-cd/serin/rules"
)

// NewRollout begins a rollout at now: pending, without traffic. An impossible plan is refused here, so that Next needs
// no error.
func NewRollout(id, environment, service, version, stable string, p Plan, now time.Time) (Rollout, error) {
	if err := p.Validate(); err != nil {
		return Rollout{}, err
	}
	r := Rollout{ID: id, Environment: environment, Service: service, Version: version, Stable: stable, Plan: p, Phase: Pending, Since: now}
	for _, t := range p.Rules {
		r.Rules = append(r.Rules, RuleState{Rule: t.Rule})
	}
	return r.probe(now), nil
}

// Validate refuses plans that no rollout can follow.
func (p Plan) Validate() error {
	if len(p.Steps) == 0 {
		return errors.New("a plan needs steps")
	}
	last := Share(0)
	for i, s := range p.Steps {
		if s.Share <= last && (s.Share != 0 || last != 0 || len(s.Audience) == 0) || s.Share > All {
			return fmt.Errorf("step %d: %v does not rise from %v, or is past 100 %%", i+1, s.Share, last)
		}
		if s.Bake < 0 {
			return fmt.Errorf("step %d: negative bake", i+1)
		}
		last = s.Share
	}
	if last != All {
		return fmt.Errorf("the last step is %v, needs 100 %%", last)
	}
	if err := p.validateAudiences(); err != nil {
		return err
	}
	return p.validateConduct()
}

func (p Plan) validateConduct() error {
	guarded := false
	for _, t := range p.Rules {
		guarded = guarded || t.OnFail != rules.Notify
	}
	switch {
	case !guarded:
		return errors.New("a plan needs a rule that does more than notify")
	case len(p.Failure.Do) == 0:
		return errors.New("a plan needs an action on failure")
	case p.ConfirmWithin <= 0:
		return errors.New("a plan needs a time to confirm within")
	case p.Recovery < 0, p.ReadyWithin < 0:
		return errors.New("negative recovery or time to be ready")
	}
	return nil
}
