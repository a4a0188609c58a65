package steps

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

// Audience is who sees the new version whatever the share is: the users whose evaluation context matches one of its
// groups. A group names attributes, all of which must match; an attribute has patterns, one of which must: the text
// itself, "*suffix" or "prefix*". Audiences are shared between rollouts and exposures: nobody writes to one.
type Audience []map[string][]string

// The bounds of a plan's audiences.
const (
	MaxPatterns   = 20  // of all steps together
	MaxPattern    = 200 // characters of one
	maxName       = 64  // characters of an attribute's name
	maxInSentence = 200 // characters of an audience in a sentence
)

var attributeName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

const (
	nameCure    = "use letters, digits, _ and -, with single dots to reach into an object, 64 characters at most"
	patternCure = `write the text itself, "*suffix" or "prefix*"`
)

// ParseAudience reads the `audience:` of a step: one group. It is nil, with a finding, where there is none to be used.
func ParseAudience(v yamldoc.Value) Audience {
	keys := v.Keys()
	m := v.Map(keys...)
	if !m.IsMap() {
		return nil
	}
	if len(keys) == 0 {
		v.Errorf(`write for example {email: "*@example.com"}`, "names no attribute: it would be everybody")
		return nil
	}
	group := map[string][]string{}
	for _, name := range keys {
		if err := checkName(name); err != nil {
			m.Key(name).Errorf(nameCure, "%v", err)
			continue
		}
		if patterns := parsePatterns(m.Get(name)); len(patterns) > 0 {
			group[name] = patterns
		}
	}
	if len(group) < len(keys) {
		return nil
	}
	return Audience{group}
}

// parsePatterns reads one pattern, or a list of them.
func parsePatterns(v yamldoc.Value) []string {
	items := []yamldoc.Value{v}
	if v.IsList() {
		if items = v.List(); len(items) == 0 {
			v.Errorf(patternCure+", or remove the attribute", "has no pattern")
		}
	}
	var out []string
	for _, item := range items {
		p, ok := item.String()
		if !ok {
			continue
		}
		if err := checkPattern(p); err != nil {
			item.Errorf(patternCure, "%v", err)
			continue
		}
		out = append(out, p)
	}
	return out
}

func checkName(name string) error {
	if !attributeName.MatchString(name) || len(name) > maxName {
		return fmt.Errorf("%q is no attribute's name", name)
	}
	return nil
}

func checkPattern(p string) error {
	text := strings.TrimSuffix(strings.TrimPrefix(p, "*"), "*")
	switch {
	case text == "":
		return fmt.Errorf("pattern %q has no text: it would be everybody with that attribute", p)
	case strings.Contains(text, "*") || len(text) < len(p)-1:
		return fmt.Errorf("pattern %q has more than one *, or one between", p)
	case len([]rune(p)) > MaxPattern:
		return fmt.Errorf("the pattern has %d characters, %d are the most", len([]rune(p)), MaxPattern)
	case strings.ContainsFunc(p, func(r rune) bool { return unicode.In(r, unicode.C) }):
		return fmt.Errorf("pattern %q has control characters", p)
	}
	return nil
}

// validate refuses an audience that is everybody, or none that a flag can be given.
func (a Audience) validate() error {
	for _, group := range a {
		if len(group) == 0 {
			return errors.New("an audience without attributes would be everybody")
		}
		for name, patterns := range group {
			if err := checkName(name); err != nil {
				return err
			}
			if len(patterns) == 0 {
				return fmt.Errorf("attribute %s has no pattern", name)
			}
			for _, p := range patterns {
				if err := checkPattern(p); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Patterns is how many patterns the audience has.
func (a Audience) Patterns() int {
	n := 0
	for _, group := range a {
		for _, patterns := range group {
			n += len(patterns)
		}
	}
	return n
}

// and is the audience with those groups of another that it does not have. The result shares memory with neither slice.
func (a Audience) and(o Audience) Audience {
	out := slices.Clone(a)
	for _, group := range o {
		if !slices.ContainsFunc(out, func(had map[string][]string) bool { return reflect.DeepEqual(had, group) }) {
			out = append(out, group)
		}
	}
	return out
}

// String is the audience in words: "audience email=*@example.com or region=eu|us". Nobody is "".
func (a Audience) String() string {
	if len(a) == 0 {
		return ""
	}
	groups := make([]string, len(a))
	for i, group := range a {
		var all []string
		for _, name := range slices.Sorted(maps.Keys(group)) {
			all = append(all, name+"="+strings.Join(group[name], "|"))
		}
		groups[i] = strings.Join(all, " and ")
	}
	text := []rune("audience " + strings.Join(groups, " or "))
	if len(text) > maxInSentence {
		text = append(text[:maxInSentence-1], '…')
	}
	return string(text)
}

// Shown is a share and an audience in words: "5 %", "audience email=*@example.com", "5 % and audience …".
func Shown(s Share, a Audience) string {
	switch {
	case len(a) == 0:
		return s.String()
	case s == 0:
		return a.String()
	}
	return s.String() + " and " + a.String()
}

// String names the step by its share and its own audience.
func (s Step) String() string { return Shown(s.Share, s.Audience) }

// AudienceAt is who sees the new version in a step besides its share: the audiences of the steps up to it. At 100 % it is
// nobody in particular.
func (p Plan) AudienceAt(step int) Audience {
	var out Audience
	if p.Steps[step].Share == All {
		return nil
	}
	for _, s := range p.Steps[:step+1] {
		out = out.and(s.Audience)
	}
	return out
}

// HasAudience reports whether a step names an audience.
func (p Plan) HasAudience() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return len(s.Audience) > 0 })
}

// validateAudiences refuses audiences that are too many, everybody, or that the mover cannot tell apart.
func (p Plan) validateAudiences() error {
	n := 0
	for i, s := range p.Steps {
		if err := s.Audience.validate(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
		n += s.Audience.Patterns()
	}
	switch {
	case n > MaxPatterns:
		return fmt.Errorf("the audiences have %d patterns, %d are the most", n, MaxPatterns)
	case n > 0 && !p.Mover.KnowsUsers():
		return fmt.Errorf("the mover %s does not know an audience", p.Mover.Kind)
	}
	return nil
}

// KnowsUsers reports whether the mover can tell users apart by their attributes: flags can, and a deployer is told.
func (m Mover) KnowsUsers() bool {
	return m.Kind == VersionFlag || m.Kind == FeatureFlag || m.Kind == EventMover
}

// Exposes reports whether the new version is requested to be seen, by a share of traffic or by an audience.
func (r Rollout) Exposes() bool { return r.Want > 0 || len(r.Audience) > 0 }

// AudienceOnly reports whether the requested exposure is an audience without a share.
func (r Rollout) AudienceOnly() bool { return r.Want == 0 && len(r.Audience) > 0 }

// Requested is the requested exposure in words.
func (r Rollout) Requested() string { return Shown(r.Want, r.Audience) }

// Reached is the exposure that was confirmed last, in words.
func (r Rollout) Reached() string { return Shown(r.Confirmed, r.ConfirmedAudience) }
