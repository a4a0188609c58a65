package webhook

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/serin-cd/serin/flags"
)

// serves is who gets what: variant for share of 10000 users, base for everybody else.
type serves struct {
	Variant string `json:"variant"`
	Base    string `json:"base"`
	Share   int    `json:"share"`
}

// same reports whether users get the same.
func (s serves) same(o serves) bool {
	switch {
	case s.Share != o.Share:
		return false
	case s.Share == 0:
		return s.Base == o.Base
	case s.Share == flags.Total:
		return s.Variant == o.Variant
	default:
		return s == o
	}
}

// servedBy is what a flag serves, where that is a share of one variant over another.
func servedBy(f flags.Flag) (serves, error) {
	def, ok := f.Default()
	if !ok || !f.Enabled() {
		return serves{}, fmt.Errorf("%w: it needs the state ENABLED and a default variant", flags.ErrKind)
	}
	if f.Targeting() != nil {
		return splitOf(f, def)
	}
	m := f.Mark()
	switch {
	case f.Kind() == flags.Feature && def == flags.Off:
		return serves{flags.On, flags.Off, 0}, nil
	case f.Kind() == flags.Feature:
		return serves{def, flags.Off, flags.Total}, nil
	case m.Variant == def && m.Base != "":
		return serves{def, m.Base, flags.Total}, nil
	case m.Base == def && m.Variant != "":
		return serves{m.Variant, def, 0}, nil
	default:
		return serves{def, def, 0}, nil
	}
}

func splitOf(f flags.Flag, def string) (serves, error) {
	m := f.Mark()
	is := serves{m.Variant, m.Base, m.Share}
	if !sameJSON(f.Targeting(), is.targeting()) || def != m.Base {
		return serves{}, fmt.Errorf("%w: a webhook can follow a share of one variant, and found targeting %.200s", flags.ErrKind, f.Targeting())
	}
	return is, nil
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// targeting is the rule that serves it.
func (s serves) targeting() []byte {
	if s.Share <= 0 || s.Share >= flags.Total {
		return []byte("{}")
	}
	return encode(map[string]any{"fractional": []any{[]any{s.Variant, s.Share}, []any{s.Base, flags.Total - s.Share}}})
}

// defaults is who gets it without a targeting key.
func (s serves) defaults() string {
	if s.Share >= flags.Total {
		return s.Variant
	}
	return s.Base
}

// image is the flag that the receiver's answer describes: the one Serin wrote, unless something else is served.
func (a answer) image(name string) (flags.Flag, error) {
	state := a.State
	if state == "" {
		state = a.fresh()
	}
	f, err := flags.Parse(name, []byte(state))
	if err != nil {
		return flags.Flag{}, fmt.Errorf("the receiver's state is not what Serin gave it: %w", err)
	}
	if a.Serves == nil {
		return f, nil
	}
	if is, err := servedBy(f); err == nil && is.same(*a.Serves) {
		return f, nil
	}
	return a.Serves.over(f)
}

// fresh is a flag that the receiver has and Serin never wrote: a feature flag that is off, unless versions are served.
func (a answer) fresh() string {
	const feature = `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`
	if a.Serves == nil || a.Serves.Base == flags.Off || a.Serves.Variant == flags.On {
		return feature
	}
	def := a.Serves.defaults()
	return string(encode(map[string]any{"state": "ENABLED", "variants": map[string]string{def: def}, "defaultVariant": def}))
}

// over is the flag with something else served than its mark says.
func (s serves) over(f flags.Flag) (flags.Flag, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(f.Bytes(), &fields); err != nil {
		return flags.Flag{}, err
	}
	fields["targeting"], fields["defaultVariant"] = s.targeting(), encode(s.defaults())
	if f.Kind() == flags.Version {
		variants := map[string]json.RawMessage{}
		if err := json.Unmarshal(fields["variants"], &variants); err != nil {
			return flags.Flag{}, err
		}
		for _, v := range []string{s.Variant, s.Base} {
			if v != "" && variants[v] == nil {
				variants[v] = encode(v)
			}
		}
		fields["variants"] = encode(variants)
	}
	changed, err := flags.Parse(f.Key(), encode(fields))
	if err != nil {
		return flags.Flag{}, fmt.Errorf("what the receiver says is served makes no flag: %w", err)
	}
	return changed, nil
}
