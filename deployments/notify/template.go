package notify

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/internal/diag"
	"github.com/serin-cd/serin/steps"
)

// headlineName is the template that stands for the message's first line, where a file defines one.
const headlineName = "headline"

const (
	maxHeadline = 300
	maxOutput   = 64 << 10 // bytes that a template may write, before they are cut to a message
	maxTemplate = 64 << 10 // bytes of a template's file
)

// Template is a user's own words for messages to people, in the language of text/template. It gets [Facts]. What it
// writes is the message's body, in Slack's markup; {{define "headline"}} is the line above it. A nil Template is Serin's
// own words. It may be used by many goroutines.
type Template struct{ t *template.Template }

// LoadTemplate reads a template and tries it on sample events. What is wrong with it is a finding at its line.
func LoadTemplate(name, path string) (*Template, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	return ParseTemplate(name, string(text))
}

// ParseTemplate is LoadTemplate of a text; the name is the file's, for findings.
func ParseTemplate(name, text string) (*Template, error) {
	if len(text) > maxTemplate {
		return nil, finding(name, fmt.Errorf("is longer than %d bytes", maxTemplate))
	}
	parsed, err := template.New(name).Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, finding(name, err)
	}
	t := &Template{parsed}
	for _, sample := range samples() {
		if _, err := t.render(factsOf(told{Event: sample, q: markup})); err != nil {
			return nil, finding(name, err)
		}
	}
	return t, nil
}

var templatePlace = regexp.MustCompile(`^template: .*?:(\d+)(?::(\d+))?: (?:executing ".*?" at )?`)

// finding is an error of a template at its line.
func finding(name string, err error) error {
	f := diag.Finding{Position: diag.Position{File: name, Line: 1, Column: 1}, Severity: diag.Error, Message: err.Error(), Cure: "its data are the fields of notify.Facts: .Headline, .Rules, …"}
	if at := templatePlace.FindStringSubmatch(f.Message); at != nil {
		f.Line, _ = strconv.Atoi(at[1])
		if at[2] != "" {
			f.Column, _ = strconv.Atoi(at[2])
			f.Column++
		}
		f.Message = strings.TrimPrefix(f.Message, at[0])
	}
	return diag.Findings{f}
}

// words are what a template wrote.
type words struct{ headline, body string }

// render runs the template. Without one there are no words, and no error.
func (t *Template) render(f Facts) (*words, error) {
	if t == nil {
		return nil, nil //nolint:nilnil // the words are Serin's own then
	}
	w := words{headline: f.Emoji + " " + f.Headline}
	body, err := t.run(t.t.Name(), f)
	if err != nil {
		return nil, err
	}
	w.body = tidy(body, maxSection)
	if t.t.Lookup(headlineName) != nil {
		line, err := t.run(headlineName, f)
		if err != nil {
			return nil, err
		}
		w.headline = firstOf(tidy(flat(line), maxHeadline), w.headline)
	}
	return &w, nil
}

// run executes one template, into a bounded buffer.
func (t *Template) run(name string, f Facts) (string, error) {
	var b limited
	if err := t.t.ExecuteTemplate(&b, name, f); err != nil {
		return "", err
	}
	return b.String(), nil
}

// limited is a buffer that takes no more than maxOutput.
type limited struct{ strings.Builder }

var errOutput = errors.New("it writes more than " + strconv.Itoa(maxOutput) + " bytes")

// Write takes a piece that has room.
func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxOutput {
		return 0, errOutput
	}
	return l.Builder.Write(p)
}

// blocks are the body as Slack takes it.
func (w words) blocks() []Block {
	return []Block{section(firstOf(w.body, "–"))}
}

var brokenEntity = regexp.MustCompile(`&[a-z]{0,3}…$`)

// tidy is text in Slack's markup without what cannot be seen, at most limit long. Cut inside an entity or a code block,
// it ends before the one and closes the other.
func tidy(s string, limit int) string {
	const fence, room = "```", 8
	all := strings.Split(s, "\n")
	for i, l := range all {
		all[i] = strings.TrimRight(strings.Map(visible, l), " ")
	}
	text := strings.Trim(strings.Join(all, "\n"), "\n")
	cut := bound(text, limit-room, keep)
	if cut != text {
		cut = brokenEntity.ReplaceAllString(cut, "…")
		if strings.Count(cut, fence)%2 == 1 {
			cut += "\n" + fence
		}
	}
	return cut
}

// samples are the events that a template is tried on: what is full of facts, and what has none.
func samples() []deployments.Event {
	value, limit, total := analysis.Number(0.182), analysis.Number(0.05), analysis.Number(412)
	full := Sample(time.Unix(0, 0))
	full.Data.Evidence = []analysis.Judgement{{Rule: "error-rate", Verdict: analysis.Unhealthy, Reading: analysis.Reading{
		Query: "sum(rate(http_requests_total[2m]))", Value: &value, Limit: &limit, Total: &total, Window: 2 * time.Minute}}}
	return []deployments.Event{full, {}}
}

// Sample is an event as one of a rollout that is taken back, for a test of a receiver.
func Sample(at time.Time) deployments.Event {
	to := "1.4.1"
	return deployments.Event{
		ID: "test/1/rollback.completed", Name: "rollback.completed", Severity: deployments.Info, Time: at, Slot: deployments.Slot{Environment: "production", Service: "checkout"},
		Data: deployments.EventData{Service: "checkout", Environment: "production", Version: "1.4.2", Stable: to, From: "1.4.2", To: deployments.BackTo(to), Rollout: "test", Rev: 1,
			Step: 2, FromPercent: 25, Cause: steps.ByRules, Reason: "error-rate failed for 1m", Author: "ada", RunURL: "https://ci.example/runs/812", Started: at.Add(-12 * time.Minute),
			Actions: []steps.ActionState{{Action: steps.Action{Kind: steps.RollbackAction}, Began: at, Confirmed: at, How: "evaluated by OpenFeature"}}},
	}
}
