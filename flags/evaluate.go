package flags

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"
)

// TargetingKey is the context attribute that names the user.
const TargetingKey = "targetingKey"

// Reasons of an evaluation, as OpenFeature spells them.
const (
	ReasonStatic         = "STATIC"          // no targeting: the default variant
	ReasonDefault        = "DEFAULT"         // targeting chose nobody: the default variant, or no value
	ReasonTargetingMatch = "TARGETING_MATCH" // targeting chose; a fractional too
	ReasonDisabled       = "DISABLED"        // no value: the caller's own default holds
	ReasonError          = "ERROR"
)

// Error codes of an evaluation, as OpenFeature spells them.
const (
	CodeParse          = "PARSE_ERROR"
	CodeGeneral        = "GENERAL"
	CodeInvalidContext = "INVALID_CONTEXT"
)

// Evaluation is a flag's answer for one user. Without a Variant there is no Value: the caller's own default holds.
type Evaluation struct {
	Value     any // bool, string, float64 or map[string]any; not to be written to
	Variant   string
	Reason    string
	ErrorCode string // "" on success
	Err       error
}

// Evaluate answers for the user that ctx describes, by flagd's resolution order. It changes nothing and may run in
// many goroutines. No targeting and a plain fractional need no allocation; any other rule runs through JsonLogic over
// ctx as JSON, with now as $flagd.timestamp.
func (f Flag) Evaluate(ctx map[string]any, now func() time.Time) Evaluation {
	switch {
	case f.disabled:
		return Evaluation{Reason: ReasonDisabled}
	case f.targeting == nil:
		return f.byDefault(ReasonStatic)
	case f.split == nil:
		return f.byRule(ctx, now)
	}
	user, _ := ctx[TargetingKey].(string)
	if user == "" {
		return f.byDefault(ReasonDefault)
	}
	variant, ok := f.split.pick(f.key, user)
	if !ok {
		return f.byDefault(ReasonDefault)
	}
	return f.byVariant(variant)
}

// byDefault serves the default variant; a flag without one leaves it to the caller.
func (f *Flag) byDefault(reason string) Evaluation {
	if !f.hasDefault {
		return Evaluation{Reason: ReasonDefault}
	}
	return Evaluation{Value: f.variants[f.def], Variant: f.def, Reason: reason}
}

func (f *Flag) byVariant(name string) Evaluation {
	v, ok := f.variants[name]
	if !ok {
		return wrong(CodeGeneral, fmt.Errorf("flag %q: targeting chose %q, which is no variant", f.key, name))
	}
	return Evaluation{Value: v, Variant: name, Reason: ReasonTargetingMatch}
}

func (f *Flag) byRule(ctx map[string]any, now func() time.Time) Evaluation {
	data, err := f.ruleData(ctx, now)
	if err != nil {
		return wrong(CodeInvalidContext, fmt.Errorf("flag %q: context: %w", f.key, err))
	}
	out, err := applyRule(f.targeting, data)
	if err != nil {
		return wrong(CodeParse, fmt.Errorf("flag %q: %w", f.key, err))
	}
	switch out := out.(type) {
	case nil:
		return f.byDefault(ReasonDefault)
	case string:
		return f.byVariant(out)
	case bool:
		return f.byVariant(strconv.FormatBool(out))
	default:
		return wrong(CodeGeneral, fmt.Errorf("flag %q: targeting gave %T, needs the name of a variant", f.key, out))
	}
}

// ruleData is the context as JSON decodes it: the operators know no other types.
func (f *Flag) ruleData(ctx map[string]any, now func() time.Time) (map[string]any, error) {
	all := maps.Clone(ctx)
	if all == nil {
		all = map[string]any{}
	}
	all["$flagd"] = map[string]any{"flagKey": f.key, "timestamp": now().Unix()}
	raw, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	var data map[string]any
	return data, json.Unmarshal(raw, &data)
}

func wrong(code string, err error) Evaluation {
	return Evaluation{Reason: ReasonError, ErrorCode: code, Err: err}
}
