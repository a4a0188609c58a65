package flags

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
)

// Validate checks, besides what [Parse] does, what flagd's schema asks of targeting and what flagd would trip over at
// every evaluation: operators it does not know, also nested, arguments of the wrong number or type, weights that are no
// whole numbers, and a split between variants that the flag does not have. It is for what is about to be written, or
// was given by a user; a reader takes what flagd takes.
func (f Flag) Validate() error {
	if !f.Exists() {
		return ErrNotFound
	}
	if f.targeting == nil {
		return nil
	}
	var rule map[string]any
	if err := json.Unmarshal(f.fields["targeting"], &rule); err != nil {
		return fmt.Errorf("flag %q: targeting: %w", f.key, err)
	}
	if err := validRule(rule); err != nil {
		return fmt.Errorf("flag %q: targeting: %w", f.key, err)
	}
	if f.split != nil {
		for _, b := range f.split.buckets {
			if _, ok := f.variants[b.variant]; !ok {
				return fmt.Errorf("flag %q: targeting: fractional names %q, which is no variant", f.key, b.variant)
			}
		}
	}
	return nil
}

// Validate checks every flag and every evaluator of the document by [Flag.Validate]'s rules, and that every $ref names
// an evaluator. All that is wrong is in the error.
func (d Document) Validate() error {
	var errs []error
	for _, name := range sortedKeys(d.evaluators) {
		var rule map[string]any
		err := json.Unmarshal(d.evaluators[name], &rule)
		if err == nil {
			err = validRule(rule)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("evaluator %q: %w", name, err))
		}
	}
	for _, key := range d.Keys() {
		f, err := d.Flag(key)
		if err == nil {
			err = f.Validate()
		}
		if err == nil && f.targeting != nil {
			err = d.knownRefs(key, f.targeting)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (d Document) knownRefs(key string, rule any) error {
	switch rule := rule.(type) {
	case map[string]any:
		if name, ok := reference(rule); ok && d.evaluators[name] == nil {
			return fmt.Errorf("flag %q: targeting: $ref names %q, which is none of the $evaluators", key, name)
		}
		for _, op := range sortedKeys(rule) {
			if err := d.knownRefs(key, rule[op]); err != nil {
				return err
			}
		}
	case []any:
		for _, arg := range rule {
			if err := d.knownRefs(key, arg); err != nil {
				return err
			}
		}
	}
	return nil
}

// check refuses the arguments of an operator.
type check func(op string, args any) error

// checkOf is the check of an operator that flagd knows, else nil.
func checkOf(op string) check {
	switch op {
	case "if", "or", "and", "+", "-", "max", "min", "merge", "cat":
		return count(1, math.MaxInt)
	case "==", "===", "!=", "!==", ">", ">=", "%", "/", "map", "filter", "all", "none", "some", "in":
		return count(2, 2)
	case "<", "<=", "substr":
		return count(2, 3)
	case "*":
		return count(2, math.MaxInt)
	case "reduce":
		return count(3, 3)
	case "!", "!!":
		return func(_ string, args any) error { return validArg(args) }
	}
	return map[string]check{
		"var": validVar, "missing": validMissing, "missing_some": validMissingSome,
		"starts_with": validStringCompare, "ends_with": validStringCompare,
		"sem_ver": validSemVer, "fractional": validFractional,
	}[op]
}

// validRule refuses what is not one operator with its arguments.
func validRule(rule map[string]any) error {
	if len(rule) != 1 {
		return fmt.Errorf("a rule has one operator, found %d: %s", len(rule), strings.Join(sortedKeys(rule), ", "))
	}
	for op, args := range rule {
		valid := checkOf(op)
		switch {
		case op == "$ref":
			return errors.New(`a $ref stands inside an operator: write {"if":[true,{"$ref":"name"}]}`)
		case valid == nil:
			return fmt.Errorf("flagd knows no operator %q", op)
		}
		return valid(op, args)
	}
	return nil
}

// validArg takes what an operator may be given: a value, a list, a rule, a reference.
func validArg(arg any) error {
	switch arg := arg.(type) {
	case map[string]any:
		if _, ok := reference(arg); ok {
			return nil
		}
		return validRule(arg)
	case []any:
		return each(arg, validArg)
	default:
		return nil
	}
}

func each(list []any, valid func(any) error) error {
	for _, arg := range list {
		if err := valid(arg); err != nil {
			return err
		}
	}
	return nil
}

// count takes a list of so many arguments.
func count(least, most int) check {
	return func(op string, args any) error {
		list, ok := args.([]any)
		if !ok || len(list) < least || len(list) > most {
			return fmt.Errorf("%s needs %s, found %.60s", op, numbered(least, most), marshal(args))
		}
		return each(list, validArg)
	}
}

func numbered(least, most int) string {
	switch {
	case least == most:
		return fmt.Sprintf("a list of %d", least)
	case most == math.MaxInt:
		return fmt.Sprintf("a list of at least %d", least)
	default:
		return fmt.Sprintf("a list of %d to %d", least, most)
	}
}

func validVar(_ string, args any) error {
	name, ok := args.(string)
	if ok && strings.HasPrefix(name, "$flagd.") && name != "$flagd.timestamp" && name != "$flagd.flagKey" {
		return fmt.Errorf("var: flagd has $flagd.timestamp and $flagd.flagKey, and no %s", name)
	}
	return nil
}

func validMissing(op string, args any) error {
	list, ok := args.([]any)
	if !ok || slices.ContainsFunc(list, func(v any) bool { _, text := v.(string); return !text }) {
		return fmt.Errorf("%s needs a list of names, found %.60s", op, marshal(args))
	}
	return nil
}

func validMissingSome(op string, args any) error {
	list, _ := args.([]any)
	if len(list) == 2 {
		if _, ok := list[0].(float64); ok {
			return validMissing(op, list[1])
		}
	}
	return fmt.Errorf("%s needs a number and a list of names, found %.60s", op, marshal(args))
}

func validStringCompare(op string, args any) error {
	list, _ := args.([]any)
	if len(list) != 2 {
		return fmt.Errorf("%s needs two strings, found %.60s", op, marshal(args))
	}
	return each(list, func(arg any) error {
		if _, ok := arg.(string); ok {
			return nil
		}
		return ruleFor(op, "strings", arg)
	})
}

// ruleFor takes a rule that stands where an operator needs something else.
func ruleFor(op, needs string, arg any) error {
	if rule, ok := arg.(map[string]any); ok {
		return validRule(rule)
	}
	return fmt.Errorf("%s needs %s, or rules that give them, found %.60s", op, needs, marshal(arg))
}

var semanticVersion = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$`)

func validSemVer(op string, args any) error {
	list, _ := args.([]any)
	if len(list) != 3 {
		return fmt.Errorf("%s needs a version, a comparison and a version, found %.60s", op, marshal(args))
	}
	if by, _ := list[1].(string); !slices.Contains([]string{"=", "!=", ">", "<", ">=", "<=", "~", "^"}, by) {
		return fmt.Errorf("%s knows no comparison %.40s", op, marshal(list[1]))
	}
	return each([]any{list[0], list[2]}, func(arg any) error {
		if text, ok := arg.(string); ok && semanticVersion.MatchString(text) {
			return nil
		}
		if rule, ok := arg.(map[string]any); ok && len(rule) == 1 && rule["var"] != nil {
			return validRule(rule)
		}
		return fmt.Errorf("%s needs versions such as 1.2.3, or {\"var\": name}, found %.60s", op, marshal(arg))
	})
}

func validFractional(op string, args any) error {
	list, _ := args.([]any)
	if len(list) > 0 {
		if by, ok := list[0].(map[string]any); ok {
			if err := validRule(by); err != nil {
				return err
			}
			list = list[1:]
		}
	}
	if len(list) < 2 {
		return fmt.Errorf("%s needs two buckets, found %.60s", op, marshal(args))
	}
	var sum float64
	return each(list, func(arg any) error {
		weight, err := validBucket(op, arg)
		if sum += weight; err == nil && sum > math.MaxInt32 {
			err = fmt.Errorf("%s has weights that add up to more than %d", op, math.MaxInt32)
		}
		return err
	})
}

// validBucket is the weight of a bucket: 0 for one that a rule gives.
func validBucket(op string, arg any) (float64, error) {
	list, _ := arg.([]any)
	if len(list) < 1 || len(list) > 2 {
		return 0, fmt.Errorf("%s needs buckets [variant, weight], found %.60s", op, marshal(arg))
	}
	if _, ok := list[0].(string); !ok {
		if err := ruleFor(op, "names of variants", list[0]); err != nil {
			return 0, err
		}
	}
	if len(list) == 1 {
		return 1, nil
	}
	if w, ok := list[1].(float64); !ok || w < 0 || w != math.Trunc(w) {
		return 0, ruleFor(op, "weights that are whole numbers from 0", list[1])
	}
	return list[1].(float64), nil
}
