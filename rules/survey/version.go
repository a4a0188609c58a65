package survey

import (
	"regexp"
	"slices"

	"github.com/serin-cd/serin/rules"
)

// Versions is how to learn which versions a view's series are of.
type Versions struct {
	Label string
	Query string // counts the series by Label
	form  *regexp.Regexp
}

// Versions is false when the view does not tell versions apart. A variant counts as a version where the policy's flag
// serves versions.
func (v View) Versions(variants bool) (Versions, bool) {
	for _, m := range v.Matchers {
		if v.isOptional(m) || m.Op != "=" && m.Op != "=~" {
			continue
		}
		names := names(m.Value)
		named := slices.Contains(names, "version") || variants && slices.Contains(names, "variant")
		if v.Metric == "" || !named {
			continue
		}
		form, err := regexp.Compile("^(?:" + v.captured(m) + ")$")
		if err != nil {
			return Versions{}, false
		}
		return Versions{Label: m.Label, form: form, Query: CountBy(v.All(), m.Label)}, true
	}
	return Versions{}, false
}

// captured is the matcher's value as a regular expression with a group for the version.
func (v View) captured(m rules.Matcher) string {
	first := true
	return v.pattern(m, func(name string) string {
		if value, ok := valueOf(name, v.Vars); ok {
			return regexp.QuoteMeta(value)
		}
		if (name == "version" || name == "variant") && first {
			first = false
			return "(.+)"
		}
		return ".+"
	})
}

// Of is the version that a value of the label stands for.
func (s Versions) Of(value string) (string, bool) {
	m := s.form.FindStringSubmatch(value)
	if len(m) < 2 {
		return "", false
	}
	return m[1], true
}
