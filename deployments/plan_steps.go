package deployments

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
	"github.com/serin-cd/serin/steps"
)

// stepsReader reads the steps of a policy.
type stepsReader struct {
	refusal  *refusal    // why the policy's steps may have no audience
	last     steps.Share // of the step before
	patterns int         // of the audiences so far
}

// refusal is what is wrong, and what cures it.
type refusal struct{ cure, message string }

// parseSteps reads weights, alone or with what must hold there. They rise strictly, and the last is 100. Before the first
// weight there may be audiences.
func parseSteps(v yamldoc.Value, noAudience *refusal) []steps.Step {
	items := v.List()
	if v.IsList() && len(items) == 0 {
		v.Errorf("write for example [5, 25, 50, 100], or remove the key", "there are no steps")
	}
	r := stepsReader{refusal: noAudience}
	var out []steps.Step
	for i, item := range items {
		s := steps.Step{Bake: 10 * time.Minute}
		if i == len(items)-1 {
			s.Bake = 0
		}
		if s, ok := r.step(item, s); ok {
			out = append(out, s)
		}
	}
	if len(out) > 0 && len(out) == len(items) && r.last < steps.All {
		items[len(items)-1].Errorf("add a last step of 100", "the last step is %v: the release would never be done", out[len(out)-1])
	}
	return out
}

// step reads one step.
func (r *stepsReader) step(item yamldoc.Value, s steps.Step) (steps.Step, bool) {
	if !item.IsMap() {
		return r.weighted(item, s)
	}
	m := item.MapWith(stepCures, "weight", "audience", "bake", "approval")
	if !m.Has("audience") && !required(m, "weight", "add `weight: 25`, in percent") {
		return s, false
	}
	s = stepDetails(m, s)
	s.Audience = r.audience(m)
	if !m.Has("weight") {
		if r.last > 0 {
			m.Key("audience").Errorf("add a weight, or write the step before the first weight", "an audience without a weight comes after %v", r.last)
		}
		return s, len(s.Audience) > 0
	}
	s, ok := r.weighted(m.Get("weight"), s)
	if ok && s.Share == steps.All && m.Has("audience") {
		m.Key("audience").Warnf("leave it out", "at 100 %% everybody sees the new version")
		s.Audience = nil
	}
	return s, ok
}

// weighted reads the step's weight.
func (r *stepsReader) weighted(weight yamldoc.Value, s steps.Step) (steps.Step, bool) {
	share, ok := parseWeight(weight, len(s.Audience) > 0)
	if !ok {
		return s, false
	}
	if share <= r.last {
		weight.Errorf("weights rise strictly, for example 5, 25, 50, 100", "%v does not rise from %v", share, r.last)
	}
	s.Share, r.last = share, share
	return s, true
}

// audience reads the step's audience, where it has one.
func (r *stepsReader) audience(m yamldoc.Map) steps.Audience {
	if !m.Has("audience") {
		return nil
	}
	if r.refusal != nil {
		m.Key("audience").Errorf(r.refusal.cure, "%s", r.refusal.message)
	}
	a := steps.ParseAudience(m.Get("audience"))
	before := r.patterns
	if r.patterns += a.Patterns(); before <= steps.MaxPatterns && r.patterns > steps.MaxPatterns {
		m.Get("audience").Errorf("name the users by a pattern that they share, or give them an attribute of their own",
			"the steps' audiences have more than %d patterns", steps.MaxPatterns)
	}
	return a
}

// noAudience is why a policy's steps may have no audience; nil where they may.
func noAudience(m steps.Mover, source *flags.Source) *refusal {
	switch {
	case m.Kind == "" || m.KnowsUsers() && (m.Kind == steps.EventMover || keepsAudiences(source)):
		return nil
	case m.KnowsUsers():
		return &refusal{"leave the audience out, or let Serin or a flagd file keep the flag",
			fmt.Sprintf("%s keeps the flag, and Serin gives it no audience there", source.Kind)}
	}
	return &refusal{"leave the audience out, or move the traffic by version_flag, flag or event",
		fmt.Sprintf("%s moves shares of traffic: it cannot tell users apart", m.Kind)}
}

// stepCures are cures for keys of other tools' steps.
var stepCures = map[string]string{
	"setWeight": "write weight", "percent": "write weight", "pause": "write bake at the step before: {weight: 5, bake: 5m}",
	"duration": "write bake", "analysis": "leave it out: rules are read in every step, or in those that a rule's steps name",
}

func stepDetails(m yamldoc.Map, s steps.Step) steps.Step {
	if d, ok := m.Get("bake").Duration(); ok {
		s.Bake = d
	}
	if word, ok := m.Get("approval").Word("manual", "none"); ok {
		s.Approval = word == "manual"
	}
	return s
}

// parseWeight reads a share in percent: 5, 0.5 or 5%.
func parseWeight(v yamldoc.Value, besideAudience bool) (steps.Share, bool) {
	cure := "write percent of traffic, above 0 and up to 100"
	if besideAudience {
		cure += "; without a weight the audience alone sees the version"
	}
	text, ok := v.String()
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "%")), 64)
	switch {
	case err != nil || math.IsNaN(n):
		v.Errorf(cure, "%q is no weight", text)
		return 0, false
	case n <= 0 || n > 100:
		v.Errorf(cure, "weight %s is outside 0 to 100", text)
		return 0, false
	case math.Round(n*100) != n*100:
		v.Errorf("round it", "weight %s has more than two decimals", text)
		return 0, false
	}
	return steps.Share(n * 100), true
}
