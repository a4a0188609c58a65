package rules

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

// preset is a rule that is written already: PromQL in which [NAME] stands for what `with:` says, or for a default.
type preset struct {
	about             string
	bad, total, query string
	max               string // of a query that has one by nature
	with              map[string]string
}

// ours selects the series of the release. Most exporters and load balancers know neither label: `with: {selector: …}`.
const ours = `service="{{service}}",version="{{version}}"`

// presets are the rules that `uses:` names.
var presets = map[string]preset{
	"http/error-rate": {
		about: "share of HTTP requests answered with 5xx",
		bad:   `[metric]{[selector],[code]=~"5.."}`, total: `[metric]{[selector]}`,
		with: map[string]string{"metric": "http_requests_total", "selector": ours, "code": "code"},
	},
	"http/latency": {
		about: "quantile of the time of HTTP requests, in seconds",
		query: `histogram_quantile([quantile], sum by (le) (rate([metric]{[selector]}[{{window}}])))`,
		with:  map[string]string{"metric": "http_request_duration_seconds_bucket", "selector": ours, "quantile": "0.95"},
	},
	"grpc/error-rate": {
		about: "share of gRPC calls that failed by the server's fault",
		bad:   `[metric]{[selector],grpc_code=~"Unknown|DeadlineExceeded|Unimplemented|Internal|Unavailable|DataLoss"}`, total: `[metric]{[selector]}`,
		with: map[string]string{"metric": "grpc_server_handled_total", "selector": ours},
	},
	"grpc/latency": {
		about: "quantile of the time of gRPC calls, in seconds",
		query: `histogram_quantile([quantile], sum by (le) (rate([metric]{[selector]}[{{window}}])))`,
		with:  map[string]string{"metric": "grpc_server_handling_seconds_bucket", "selector": ours, "quantile": "0.95"},
	},
	"nginx/error-rate": {
		about: "share of an upstream's answers that are 5xx, as the nginx VTS exporter counts them",
		bad:   `[metric]{[selector],code="5xx"}`, total: `[metric]{[selector],code=~"[1-5]xx"}`,
		with: map[string]string{"metric": "nginx_vts_upstream_requests_total", "selector": `upstream="{{service}}-{{version}}"`},
	},
	"haproxy/error-rate": {
		about: "share of a backend's answers that are 5xx, as HAProxy's own exporter counts them",
		bad:   `[metric]{[selector],code="5xx"}`, total: `[metric]{[selector]}`,
		with: map[string]string{"metric": "haproxy_backend_http_responses_total", "selector": `proxy="{{service}}-{{version}}"`},
	},
	"process/restarts": {
		about: "how often processes of the release began anew in the window",
		query: `sum(changes([metric]{[selector]}[{{window}}]))`, max: "0",
		with: map[string]string{"metric": "process_start_time_seconds", "selector": ours},
	},
}

// PresetNames are what `uses:` may name.
func PresetNames() []string { return slices.Sorted(maps.Keys(presets)) }

// preset reads `uses:` and `with:`, and then the rule as if it were written out.
func (p *ruleParser) preset() {
	uses := p.Get("uses")
	name, ok := uses.Word(PresetNames()...)
	if !ok {
		return
	}
	for _, key := range []string{"bad", "total", "query"} {
		if p.Has(key) {
			p.Key(key).Errorf("leave it out, or write the rule without uses", "the preset %s has its own %s", name, key)
			return
		}
	}
	pre := presets[name]
	with, ok := p.presetValues(pre)
	if !ok {
		return
	}
	fill := func(text string) string {
		for key, value := range with {
			text = strings.ReplaceAll(text, "["+key+"]", value)
		}
		return text
	}
	if pre.query != "" {
		p.presetQuery(uses, fill(pre.query), pre.max)
		return
	}
	bad, total := p.presetCount(uses, fill(pre.bad), false), p.presetCount(uses, fill(pre.total), true)
	p.rule.Bad, p.rule.Total, p.rule.Counts = bad.template, total.template, bad.counts
	p.ratioLimits()
	p.lintRatio()
}

func (p *ruleParser) presetQuery(uses yamldoc.Value, text, limit string) {
	c, problems := compile(text)
	p.report(uses, c, problems)
	p.rule.Query, p.rule.MinSamples = c.template, 0
	if n, err := strconv.ParseFloat(limit, 64); err == nil && !p.Has("max") && !p.Has("min") && !p.Has("compare") {
		p.rule.Max = &n
		return
	}
	p.valueLimits()
	p.compare(p.Get("compare"))
	p.lintLimits(c)
}

// presetCount is one side of a preset's ratio.
func (p *ruleParser) presetCount(uses yamldoc.Value, text string, total bool) counted {
	c, problems := compile(text)
	selector, ok := c.expr.(*parser.VectorSelector)
	if !p.report(uses, c, problems) || !ok {
		return counted{}
	}
	out, _ := p.wrap(uses, c, selector, total)
	return out
}

var presetForms = map[string]*regexp.Regexp{
	"metric":   regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`),
	"code":     regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`),
	"quantile": regexp.MustCompile(`^0?\.[0-9]+$`),
}

// presetValues are what `with:` says, checked so that they cannot change the query's shape.
func (p *ruleParser) presetValues(pre preset) (map[string]string, bool) {
	keys := slices.Sorted(maps.Keys(pre.with))
	m := p.Get("with").Map(keys...)
	out, ok := maps.Clone(pre.with), !m.Strange()
	for _, key := range keys {
		value, written := m.Get(key).String()
		if !written {
			continue
		}
		out[key] = value
		if form := presetForms[key]; form != nil && !form.MatchString(value) {
			m.Get(key).Errorf("write for example "+pre.with[key], "%q is no %s", value, key)
			ok = false
		}
		if key == "selector" {
			ok = p.selector(m.Get(key), value) && ok
		}
	}
	return out, ok
}

// selector checks matchers by themselves, so that a fault in them is told where it stands.
func (p *ruleParser) selector(v yamldoc.Value, matchers string) bool {
	const before = "x{"
	if strings.HasPrefix(strings.TrimSpace(matchers), "{") {
		v.Errorf("leave out the braces", "a selector has its matchers alone")
		return false
	}
	c, problems := compile(before + matchers + "}")
	for _, problem := range problems {
		v.ErrorAt(max(0, min(problem.Offset-len(before), len(matchers))), problem.Cure, "%s", problem.Message)
	}
	if len(problems) > 0 {
		return false
	}
	for _, piece := range c.template.pieces {
		at := piece.placeholder
		at.start -= len(before)
		if piece.variable == varExtra && !p.checkVar(v, at) {
			return false
		}
	}
	if _, plain := c.expr.(*parser.VectorSelector); !plain {
		v.Errorf(`write matchers alone, as in app="{{service}}",version="{{version}}"`, "%q is more than matchers", matchers)
		return false
	}
	return true
}
