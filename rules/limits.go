package rules

import (
	"fmt"
	"strings"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

// defaultCriticalMin is how many bad events critical_max needs where critical_min is not written.
const defaultCriticalMin = 10

// ratioLimits reads max and critical_max of a ratio.
func (p *ruleParser) ratioLimits() {
	if p.Has("compare") {
		p.Key("compare").Errorf("leave it out, or write the ratio as a query", "only a query is compared with the stable version")
	}
	if p.Has("min") {
		p.Key("min").Errorf("leave it out: the share of bad events has only a max", "a ratio has no min")
	}
	if !p.Has("max") {
		p.missing("add `max: 5%`", "a ratio needs a max")
	}
	p.rule.Max = p.share(p.Get("max"))
	p.rule.CriticalMax = p.share(p.Get("critical_max"))
	if p.rule.Max != nil && p.rule.CriticalMax != nil && *p.rule.CriticalMax <= *p.rule.Max {
		p.Get("critical_max").Errorf("write a share above max, or leave it out", "critical_max %v is not above max %v", *p.rule.CriticalMax, *p.rule.Max)
	}
	n, ok := readCount(p.Get("critical_min"))
	switch {
	case p.Has("critical_min") && !p.Has("critical_max"):
		p.Key("critical_min").Warnf("add critical_max, or leave it out", "critical_min has no effect without critical_max")
	case ok:
		p.rule.CriticalMin = n
	case p.rule.CriticalMax != nil:
		p.rule.CriticalMin = defaultCriticalMin
	}
}

// share reads a number from 0 to 1.
func (p *ruleParser) share(v yamldoc.Value) *float64 {
	n, ok := v.Number()
	if !ok {
		return nil
	}
	text, _ := v.String()
	switch {
	case n > 1 && n <= 100 && !strings.HasSuffix(strings.TrimSpace(text), "%"):
		v.Errorf(fmt.Sprintf("write %v%% or %v", n, n/100), "%v is above 1, and a ratio lies between 0 and 1", n)
		return nil
	case n < 0 || n > 1:
		v.Errorf("write a share from 0% to 100%, as in 5% or 0.05", "%s is no share: a ratio lies between 0 and 1", text)
		return nil
	}
	return &n
}

// valueLimits reads min and max of a query.
func (p *ruleParser) valueLimits() {
	for _, key := range []string{"critical_max", "critical_min", "min_samples"} {
		if p.Has(key) {
			p.Key(key).Errorf("leave it out, or write the query as bad and total", "%s counts events, and only ratios do", key)
		}
	}
	if !p.Has("min") && !p.Has("max") && !p.Has("compare") {
		p.missing("add `max: 0.5`, `min:` or `compare:`", "a query needs a limit")
	}
	lo, loOK := p.Get("min").Number()
	hi, hiOK := p.Get("max").Number()
	if loOK {
		p.rule.Min = &lo
	}
	if hiOK {
		p.rule.Max = &hi
	}
	if loOK && hiOK && lo > hi {
		p.Get("min").Errorf("swap them", "min %v is above max %v: no value is healthy", lo, hi)
	}
}
