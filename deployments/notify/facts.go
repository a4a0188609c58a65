package notify

import (
	"github.com/serin-cd/serin/analysis"
)

// Facts is what a template gets: an event in words. Every text is bounded, and escaped for Slack: a template writes it as
// it is. A text that is not known is "".
type Facts struct {
	Emoji       string // of the event
	Headline    string // the event in one sentence, without the emoji
	Event       string // its name, such as rollout.failed
	Severity    string // info, warning or page
	Service     string
	Environment string
	Version     string
	Stable      string // the version to go back to
	Rollout     string
	Step        int    // from 1
	Share       string // of traffic, such as "25 %"; of a rollout that turned back the one it had
	Duration    string // of the rollout until the event, such as "12m30s"
	Author      string
	Run         string // a link to the run that released
	By          string // who ordered
	Why         string // the cause and the reason
	Done        []string
	Rules       []RuleFacts // those that decided, worst first
	Again       int         // how often a person was told of this before
}

// RuleFacts is one rule's reading.
type RuleFacts struct {
	Name     string
	Verdict  string // unhealthy, no data, …
	Said     string // "18.2 % > 5 % (stable 0.4 %, 412 requests, 2m)"
	Query    string // as it was sent
	Runbook  string // a link, where the rule has an annotation runbook_url
	Critical bool
}

// factsOf is what a template gets of an event.
func factsOf(t told) Facts {
	d := t.Data
	f := Facts{
		Emoji: lookOf(t.Event).emoji, Headline: t.headline(), Event: t.q(t.Name, maxName), Severity: t.q(string(t.Severity), maxName),
		Service: t.q(d.Service, maxName), Environment: t.q(d.Environment, maxName), Version: t.q(d.Version, maxName), Stable: t.q(d.Stable, maxName),
		Rollout: t.q(d.Rollout, maxName), Step: d.Step, Share: firstOf(share(d.FromPercent), share(d.Percent), share(d.Confirmed)), Duration: t.took(),
		Author: t.q(d.Author, maxName), Run: link(d.RunURL, "run"), By: t.q(d.By, maxName), Why: t.why(), Done: t.done(), Again: t.again,
	}
	for _, j := range t.shown() {
		f.Rules = append(f.Rules, t.ruleFacts(j))
	}
	return f
}

func (t told) ruleFacts(j analysis.Judgement) RuleFacts {
	const most = 900
	return RuleFacts{Name: t.q(j.Rule, maxName), Verdict: j.Verdict.String(), Said: measured(j, t.q), Critical: j.Critical,
		Query: code(firstOf(j.Reading.Query, j.Reading.BadQuery), most), Runbook: link(j.Annotations[runbookURL], "runbook")}
}
