package main

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/analysis/prometheus"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/internal/diag"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/rules/survey"
	"github.com/serin-cd/serin/steps"
)

// online is `serin check --online`: it holds the rules of policies against their Prometheus.
type online struct {
	on           bool
	url, version string
	said         []string // for people, after the findings
}

func (o *online) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.on, "online", false, "hold the rules against what Prometheus has: metrics, labels, types, scrape intervals, answers")
	cmd.Flags().StringVar(&o.url, "prometheus", "", "Prometheus URL to ask in place of the policies' own; their credentials are kept")
	cmd.Flags().StringVar(&o.version, "version", "", "the version to ask for; without it one is taken that is there")
}

// validate refuses flags that would have no effect, or make no sense.
func (o *online) validate() error {
	switch u, err := url.Parse(o.url); {
	case !o.on && (o.url != "" || o.version != ""):
		return exitError{code: exitUsage, err: errors.New("--prometheus and --version belong to --online")}
	case o.url != "" && (err != nil || u.Host == ""):
		return exitError{code: exitUsage, err: errors.New("--prometheus is no URL: write for example http://127.0.0.1:9090")}
	}
	return nil
}

// check asks for all policies of the files without errors, and returns what there is to say of them.
func (o *online) check(ctx context.Context, env Env, files []policyFile, offline diag.Findings) diag.Findings {
	client := &prometheus.Client{}
	defer func() { _ = client.Close() }()
	var out diag.Findings
	for _, f := range files {
		if slices.ContainsFunc(offline, func(d diag.Finding) bool { return d.File == f.path && d.Severity != diag.Warning }) {
			o.said = append(o.said, f.path+": not asked online, since it has errors")
			continue
		}
		doc, docs := yamldoc.Parse(f.path, f.text)
		for i := range min(len(docs), len(f.policies)) {
			c := policyCheck{online: o, doc: anyKeys(docs[i]), policy: f.policies[i], told: map[string]bool{}, noted: map[int]bool{}}
			c.source = o.sourceOf(f.policies[i])
			c.asker = asker{client: client, source: c.source, at: env.Now()}
			c.run(ctx)
		}
		out = append(out, doc.Findings...)
	}
	return out
}

// sourceOf is the Prometheus to ask for a policy, or nil where none is named.
func (o *online) sourceOf(p deployments.Policy) *analysis.Source {
	if o.url == "" {
		return p.Source
	}
	s := analysis.Source{}
	if p.Source != nil {
		s = *p.Source
	}
	s.URL = o.url
	return &s
}

// anyKeys reads a mapping whose keys have been checked already.
func anyKeys(v yamldoc.Value) yamldoc.Map { return v.Map(v.Keys()...) }

// policyCheck holds one policy against its Prometheus. What it finds goes to the document.
type policyCheck struct {
	*online
	asker
	doc    yamldoc.Map
	policy deployments.Policy
	vars   rules.Vars
	told   map[string]bool // what a rule's templates share is told once
	noted  map[int]bool    // rules of which there was something to tell
}

func (c *policyCheck) run(ctx context.Context) {
	at := c.doc.Value
	if c.doc.Has("prometheus") {
		at = c.doc.Get("prometheus")
	}
	if c.source == nil {
		at.Errorf("add `prometheus: URL` to the policy, or name one with --prometheus URL", "the policy names no Prometheus to ask")
		return
	}
	if r := c.one(ctx, "vector(1)", rules.Vars{}); r.Err != nil {
		at.Errorf("see that it runs, and that URL and credentials are right; or name another one with --prometheus URL", "Prometheus cannot be asked: %v", r.Err)
		return
	}
	c.vars = c.known()
	views := make([][]rulePart, len(c.policy.Rules))
	var all []survey.View
	for i, r := range c.policy.Rules {
		views[i] = partsOf(r, c.vars)
		for _, p := range views[i] {
			all = append(all, p.views...)
		}
	}
	known := c.learn(ctx, all)
	for i, r := range c.policy.Rules {
		for _, p := range views[i] {
			for _, v := range p.views {
				for _, n := range known.Inspect(v, r.Window) {
					c.noted[i] = true
					c.place(i, p.template).warn(n, c.told)
				}
			}
		}
	}
	c.answers(ctx, all)
}

// known are the values that are known before there is a release.
func (c *policyCheck) known() rules.Vars {
	p := c.policy
	v := rules.Vars{Service: p.Service, Environment: p.Environment, Version: c.version, Step: 1, Weight: 5, Extra: p.Vars}
	if kind := p.Plan.Mover.Kind; kind == steps.FeatureFlag || kind == steps.VersionFlag {
		v.Flag = p.Plan.Mover.Key
	}
	return v
}

// rulePart is one template of a rule, and what it selects.
type rulePart struct {
	template rules.Template
	views    []survey.View
}

func partsOf(r rules.Rule, vars rules.Vars) []rulePart {
	if r.Ratio() {
		return []rulePart{{r.Bad, survey.LookAtBad(r.Bad, r.Total, vars)}, {r.Total, survey.Look(r.Total, vars)}}
	}
	return []rulePart{{r.Query, survey.Look(r.Query, vars)}}
}
