package analysis

import (
	"math"

	"github.com/serin-cd/serin/rules"
)

// limit is one limit of a rule, beside a value.
type limit struct {
	kind   string  // max, min or critical_max; "" when the rule has none
	at     float64 // the limit itself
	excess float64 // how far the value lies outside; negative: inside
}

// broken reports whether the value lies outside the limit. A value that equals its limit is inside.
func (l limit) broken() bool { return l.kind != "" && l.excess > 0 }

// nearest is the limit the value is farthest outside of, or else nearest to.
func nearest(rule rules.Rule, value float64) limit {
	l := limit{excess: math.Inf(-1)}
	if rule.Max != nil {
		l = limit{kind: "max", at: *rule.Max, excess: value - *rule.Max}
	}
	if rule.Min != nil && (l.kind == "" || *rule.Min-value > l.excess) {
		l = limit{kind: "min", at: *rule.Min, excess: *rule.Min - value}
	}
	return l
}

// critical is the limit of a ratio that does not wait for enough samples, and whether it is broken by enough of them.
func critical(rule rules.Rule, m measured) (limit, bool) {
	if !rule.Ratio() || rule.CriticalMax == nil {
		return limit{}, false
	}
	l := limit{kind: "critical_max", at: *rule.CriticalMax, excess: m.value - *rule.CriticalMax}
	return l, l.broken() && m.bad >= rule.CriticalMin
}
