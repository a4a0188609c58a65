package flags

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Audience is who gets a variant whatever the share is: the users whose context matches one of its groups. A group names
// attributes, all of which must match; an attribute has patterns, one of which must: the text itself, "*suffix" or
// "prefix*". A dot in an attribute's name reaches into an object. An attribute that is missing, or no string, does not
// match. Audiences are shared: nobody writes to one.
type Audience []map[string][]string

// longestAudience bounds what is read from and written to a flag's metadata.
const longestAudience = 16 << 10

func (a Audience) validate() error {
	for _, group := range a {
		if len(group) == 0 {
			return errors.New("a group of the audience names no attribute: it would be everybody")
		}
		for name, patterns := range group {
			if name == "" || len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return strings.Trim(p, "*") == "" }) {
				return fmt.Errorf("audience: attribute %q needs patterns with text in them", name)
			}
		}
	}
	if n := len(a.text()); n > longestAudience {
		return fmt.Errorf("the audience has %d bytes, %d are the most", n, longestAudience)
	}
	return nil
}

// Has reports whether the user with that context is in.
func (a Audience) Has(ctx map[string]any) bool {
	return slices.ContainsFunc(a, func(group map[string][]string) bool {
		for name, patterns := range group {
			value, ok := attribute(ctx, name)
			if !ok || !slices.ContainsFunc(patterns, func(p string) bool { return matches(p, value) }) {
				return false
			}
		}
		return true
	})
}

// attribute is the text under a name in the context.
func attribute(ctx map[string]any, name string) (string, bool) {
	head, rest, nested := strings.Cut(name, ".")
	if nested {
		inner, _ := ctx[head].(map[string]any)
		return attribute(inner, rest)
	}
	text, ok := ctx[head].(string)
	return text, ok
}

func matches(pattern, value string) bool {
	if suffix, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(value, suffix)
	}
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(value, prefix)
	}
	return value == pattern
}

// condition is the audience in JsonLogic, in one form only, so that a flag can be held against its mark. It compares
// strictly: a number is no text.
func (a Audience) condition() any {
	var groups []any
	for _, group := range a {
		var all []any
		for _, name := range slices.Sorted(maps.Keys(group)) {
			var patterns []any
			for _, p := range group[name] {
				patterns = append(patterns, test(name, p))
			}
			all = append(all, several("or", patterns))
		}
		groups = append(groups, several("and", all))
	}
	return several("or", groups)
}

func test(name, pattern string) any {
	value := map[string]any{"var": name}
	if suffix, ok := strings.CutPrefix(pattern, "*"); ok {
		return map[string]any{"ends_with": []any{value, suffix}}
	}
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return map[string]any{"starts_with": []any{value, prefix}}
	}
	return map[string]any{"===": []any{value, pattern}}
}

func several(op string, rules []any) any {
	if len(rules) == 1 {
		return rules[0]
	}
	return map[string]any{op: rules}
}

// text keeps the audience in flat metadata; "" is none.
func (a Audience) text() string {
	if len(a) == 0 {
		return ""
	}
	return string(marshal(a))
}

// readAudience reads what text wrote. What it cannot read is no audience: the flag is then not as its mark says.
func readAudience(text string) Audience {
	var a Audience
	if len(text) > longestAudience || json.Unmarshal([]byte(text), &a) != nil || a.validate() != nil {
		return nil
	}
	return a
}

func (a Audience) equal(o Audience) bool {
	return len(a) == 0 && len(o) == 0 || reflect.DeepEqual(a, o)
}

// Contexts are synthetic users with and without the attributes: for each pattern one whom its group has, and for each
// attribute of a group one who lacks nothing but that.
func (a Audience) Contexts() []map[string]any {
	var out []map[string]any
	for _, group := range a {
		for _, name := range slices.Sorted(maps.Keys(group)) {
			for _, p := range group[name] {
				out = append(out, userOf(group, name, example(p)))
			}
			out = append(out, userOf(group, name, stranger))
		}
	}
	return out
}

// stranger is a value of which nobody makes a pattern.
const stranger = "serin: nobody"

// userOf matches a group in all but the named attribute, which has the value.
func userOf(group map[string][]string, name, value string) map[string]any {
	ctx := map[string]any{}
	for _, other := range slices.Sorted(maps.Keys(group)) {
		text := value
		if other != name {
			text = example(group[other][0])
		}
		put(ctx, other, text)
	}
	return ctx
}

// example is a value that matches a pattern.
func example(pattern string) string { return strings.Replace(pattern, "*", "serin-user", 1) }

func put(ctx map[string]any, name, value string) {
	head, rest, nested := strings.Cut(name, ".")
	if !nested {
		ctx[head] = value
		return
	}
	inner, ok := ctx[head].(map[string]any)
	if !ok {
		inner = map[string]any{}
		ctx[head] = inner
	}
	put(inner, rest, value)
}
