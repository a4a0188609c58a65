package flags

import (
	"fmt"
	"strings"
	"sync"

	"github.com/diegoholiveira/jsonlogic/v3"
	"github.com/twmb/murmur3"
)

// own prefixes our operators in the library's table, which the whole process shares. See Design in doc.go.
const own = "serin:"

var operators = map[string]jsonlogic.OperatorFn{
	"fractional":  fractional,
	"starts_with": stringOperator(strings.HasPrefix),
	"ends_with":   stringOperator(strings.HasSuffix),
	"sem_ver":     func(args, _ any) any { return semVer(args) },
}

var register = sync.OnceFunc(func() {
	for name, op := range operators {
		jsonlogic.AddOperator(own+name, op)
	}
})

// ownOperators is a copy of a rule in which our operators have the names they are registered under.
func ownOperators(rule any) any {
	switch rule := rule.(type) {
	case map[string]any:
		out := make(map[string]any, len(rule))
		for name, args := range rule {
			if _, ours := operators[name]; ours && len(rule) == 1 {
				name = own + name
			}
			out[name] = ownOperators(args)
		}
		return out
	case []any:
		out := make([]any, len(rule))
		for i, arg := range rule {
			out[i] = ownOperators(arg)
		}
		return out
	default:
		return rule
	}
}

// applyRule runs a rule over JSON-decoded data.
func applyRule(rule map[string]any, data map[string]any) (out any, err error) {
	register()
	defer func() {
		// The library turns panics into errors, but panics anew on one that is no error.
		if r := recover(); r != nil {
			err = fmt.Errorf("apply rule: %v", r)
		}
	}()
	if out, err = jsonlogic.ApplyInterface(rule, data); err != nil {
		return nil, fmt.Errorf("apply rule: %w", err)
	}
	return out, nil
}

// fractional is flagd's, v2: null for anything it does not understand, so that the default variant follows.
func fractional(args, data any) any {
	list, ok := args.([]any)
	if !ok || len(list) == 0 {
		return nil
	}
	key, explicit := list[0].(string)
	switch {
	case explicit:
		list = list[1:]
	default:
		if list[0] == nil { // bucketBy evaluated to nothing
			list = list[1:]
		}
		if key = userKey(data); key == "" {
			return nil
		}
	}
	parts, ok := readBuckets(list)
	if !ok {
		return nil
	}
	var total, end uint32
	for _, p := range parts {
		total += p.weight
	}
	at := scale(murmur3.StringSum32(key), total)
	for _, p := range parts {
		if end += p.weight; at < end {
			return p.variant
		}
	}
	return nil
}

// userKey is flag key and targeting key in one; "" without a targeting key.
func userKey(data any) string {
	fields, _ := data.(map[string]any)
	user, _ := fields[TargetingKey].(string)
	if user == "" {
		return ""
	}
	flagd, _ := fields["$flagd"].(map[string]any)
	flag, _ := flagd["flagKey"].(string)
	return flag + user
}

// stringOperator is null, not false, unless it gets exactly two strings.
func stringOperator(holds func(s, part string) bool) jsonlogic.OperatorFn {
	return func(args, _ any) any {
		list, _ := args.([]any)
		if len(list) != 2 {
			return nil
		}
		s, ok := list[0].(string)
		part, ok2 := list[1].(string)
		if !ok || !ok2 {
			return nil
		}
		return holds(s, part)
	}
}
