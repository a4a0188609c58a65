package deployments

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/serin-cd/serin/internal/diag"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/steps"
)

// lintTimes warns of rules whose times do not fit into the steps: they work, but not in the time the steps name.
func (p *Policy) lintTimes(section yamldoc.Value) {
	for _, r := range p.Rules {
		s, baked := p.shortest(r)
		if !baked {
			continue
		}
		warn := func(cure, format string, args ...any) {
			section.Add(diag.Finding{Position: r.At, Severity: diag.Warning, Cure: cure, Message: "rule " + r.Name + ": " + fmt.Sprintf(format, args...)})
		}
		every, bake := r.Schedule.Every(), model.Duration(s.Bake)
		switch {
		case every > s.Bake:
			warn("write a shorter interval, or a longer bake", "it is read every %s, and the step of %s bakes for %s: the step lasts until the reading", model.Duration(every), s, bake)
		case r.Warmup > 0 && r.Warmup >= s.Bake:
			warn("write a shorter warmup, or a longer bake", "its warmup is %s, and the step of %s bakes for %s: the step lasts until a reading after the warmup", model.Duration(r.Warmup), s, bake)
		}
		if all := p.baking(r); r.OnFail == rules.Rollback && r.InARow == 0 && r.For > all {
			warn("write a shorter for", "it must fail for %s before the release is taken back, and the steps it is read in bake for %s together", model.Duration(r.For), model.Duration(all))
		}
	}
}

// readIn reports whether a rule is read in a step. One that names its steps is not read in those without a share.
func readIn(r rules.Rule, s steps.Step) bool {
	return r.ReadAt(s.Share.Percent()) && (s.Share > 0 || len(r.Steps) == 0)
}

// shortest is the step with the shortest bake among those in which a rule is read. Steps without a bake wait for
// nothing but a reading, and say so.
func (p *Policy) shortest(r rules.Rule) (s steps.Step, found bool) {
	for _, step := range p.Plan.Steps {
		if step.Bake > 0 && readIn(r, step) && (!found || step.Bake < s.Bake) {
			s, found = step, true
		}
	}
	return s, found
}

// baking is how long the steps bake in which a rule is read.
func (p *Policy) baking(r rules.Rule) time.Duration {
	var all time.Duration
	for _, step := range p.Plan.Steps {
		if readIn(r, step) {
			all += step.Bake
		}
	}
	return all
}
