package rules

import (
	"math"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

// Compare are limits of a value beside that of the stable version at the same instant. Each holds by itself.
type Compare struct {
	MaxRatio    *float64 // the value is at most so many times stable's; 1.2 allows a fifth more
	MaxIncrease *float64 // the value is at most so much above stable's
	IgnoreBelow float64  // a value up to this is healthy, whatever stable's is; 0: none is
}

// Limit is the highest healthy value beside one of the stable version, and which limit makes it. Both limits of a
// negative value lie above it.
func (c Compare) Limit(stable float64) (at float64, kind string) {
	at = math.Inf(1)
	if c.MaxRatio != nil {
		at, kind = stable+math.Abs(stable)*(*c.MaxRatio-1), "max_ratio"
	}
	if c.MaxIncrease != nil && (kind == "" || stable+*c.MaxIncrease < at) {
		at, kind = stable+*c.MaxIncrease, "max_increase"
	}
	if c.IgnoreBelow > at {
		at, kind = c.IgnoreBelow, "ignore_below"
	}
	return at, kind
}

// compare reads `compare: {to: stable, max_ratio: 1.2, max_increase: 0.1, ignore_below: 0.05}` of a query.
func (p *ruleParser) compare(v yamldoc.Value) {
	if !v.Exists() {
		return
	}
	m := v.Map("to", "max_ratio", "max_increase", "ignore_below")
	if !m.IsMap() {
		return
	}
	if !m.Has("to") && !m.Strange() {
		m.Errorf("add `to: stable`", "compare names nothing to compare to")
	}
	m.Get("to").Word("stable")
	if !m.Has("max_ratio") && !m.Has("max_increase") && !m.Strange() {
		m.Errorf("add `max_ratio: 1.2`, or `max_increase:`", "compare has no limit")
	}
	c := Compare{}
	if n, ok := m.Get("max_ratio").Number(); ok {
		if c.MaxRatio = &n; n < 1 {
			m.Get("max_ratio").Errorf("write 1.2 for a fifth more", "max_ratio %v is below 1: a version as good as stable would fail", n)
		}
	}
	if n, ok := m.Get("max_increase").Number(); ok {
		if c.MaxIncrease = &n; n < 0 {
			m.Get("max_increase").Errorf("write 0 or more", "max_increase %v is negative: a version as good as stable would fail", n)
		}
	}
	if n, ok := m.Get("ignore_below").Number(); ok {
		c.IgnoreBelow = n
	}
	p.rule.Compare = &c
	p.comparable(m)
}

// comparable demands a query that has a value of either version.
func (p *ruleParser) comparable(m yamldoc.Map) {
	q := p.rule.Query
	switch {
	case q.Text() == "":
	case q.Uses(variables[varStableVersion]):
		m.Errorf("write {{version}}: it stands for the stable version in the second query", "the query names {{stable_version}} itself")
	case !q.Uses(variables[varVersion]) && !q.Uses(variables[varVariant]):
		m.Errorf("use {{version}} in the query", "the query is the same for both versions: it would be compared with itself")
	}
}
