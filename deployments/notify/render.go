package notify

import (
	"net/url"
	"slices"
	"strings"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// look is an event's emoji and colour in Slack.
type look struct{ emoji, colour string }

const (
	good    = "#2EB67D"
	warning = "#ECB22E"
	danger  = "#E01E5A"
	quiet   = "#808080"
)

// looks lists the events that Slack gets always; see also wanted.
var looks = map[string]look{
	"step.started":          {"🚀", quiet},
	"analysis.inconclusive": {"⏸️", warning},
	"approval.requested":    {"✋", warning},
	"rollout.failed":        {"❌", danger},
	"rollout.not_ready":     {"⏹️", warning},
	"rollout.aborted":       {"⏹️", warning},
	"rollback.completed":    {"❌", danger},
	"rollback.failed":       {"🚨", danger},
	"flag.disabled":         {"🚩", danger},
	"rollout.promoted":      {"✅", good},
}

// wanted picks the decisions out of the events: a webhook can neither edit nor thread, so every message is a new one.
// What a person must act on is always told.
func wanted(e deployments.Event) bool {
	_, decision := looks[e.Name]
	switch {
	case e.Severity == deployments.Page:
		return true
	case e.Name == "step.started":
		return e.Data.Step <= 1
	case e.Name == "analysis.inconclusive":
		return e.Severity == deployments.Warning // a hold that is not told yet may end by itself
	case e.Name == "flag.disabled":
		return settled(e.Data.Actions) // of several flags the last one tells of all
	default:
		return decision
	}
}

// settled reports whether all that was to be turned off or taken back is confirmed.
func settled(actions []steps.ActionState) bool {
	return !slices.ContainsFunc(actions, func(a steps.ActionState) bool {
		return (a.Kind == steps.FlagOff || a.Kind == steps.RollbackAction) && a.Confirmed.IsZero()
	})
}

// Render is the event as one Slack message; false: this event is not for Slack.
func Render(e deployments.Event) (Message, bool) {
	if !wanted(e) {
		return Message{}, false
	}
	return message(e, nil, 0), true
}

// message is any event as one Slack message, in a template's words where there is one. A template that fails on an event
// costs nobody the message: it is told in Serin's own words.
func message(e deployments.Event, words *Template, again int) Message {
	l, t := lookOf(e), told{Event: e, q: markup, again: again}
	if own, err := words.render(factsOf(t)); err == nil && own != nil {
		return Message{Text: own.headline, Attachments: []Attachment{{Color: l.colour, Blocks: own.blocks()}}}
	}
	return Message{Text: l.emoji + " " + t.headline(), Attachments: []Attachment{{Color: l.colour, Blocks: t.blocks()}}}
}

func (t told) blocks() []Block {
	blocks := []Block{{Type: "section", Fields: t.fields()}}
	for _, text := range []string{t.order(), t.rules(), lines(maxSection, t.done()), t.why(), t.query()} {
		if text != "" {
			blocks = append(blocks, section(text))
		}
	}
	if ids := t.ids(); ids != "" {
		blocks = append(blocks, Block{Type: "context", Elements: []TextObject{mrkdwn(ids)}})
	}
	return blocks
}

func lookOf(e deployments.Event) look {
	l, ok := looks[e.Name]
	switch {
	case e.Severity == deployments.Page:
		return look{"🚨", danger}
	case !ok && e.Severity == deployments.Warning:
		return look{"⚠️", warning}
	case !ok:
		return look{"ℹ️", quiet}
	case e.Name == "rollback.completed" && (e.Data.Cause == steps.ByPerson || e.Data.Cause == steps.BySuperseded):
		return look{"↩️", warning} // taken back, and nothing was found wrong
	default:
		return l
	}
}

// fields are the facts beside each other; there is always an environment.
func (t told) fields() []TextObject {
	fields := []TextObject{mrkdwn("*Environment*\n" + firstOf(t.q(t.Data.Environment, maxName), "–"))}
	add := func(name, value string) {
		if value != "" {
			fields = append(fields, mrkdwn("*"+name+"*\n"+value))
		}
	}
	if t.Data.Step > 0 {
		add("Step", count(t.Data.Step)+t.at())
	}
	add("Duration", t.took())
	add("Author", strings.Join(compact([]string{t.q(t.Data.Author, maxName), link(t.Data.RunURL, "run")}), " · "))
	return fields
}

// took is how long the rollout had lasted at the event.
func (t told) took() string {
	if took := t.Time.Sub(t.Data.Started); !t.Data.Started.IsZero() && took > 0 {
		return span(took)
	}
	return ""
}

// order tells what a person must do.
func (t told) order() string {
	switch {
	case t.Severity != deployments.Page:
		return ""
	case t.Name == "rollback.failed":
		return "*A person must act.* It is not confirmed that " + firstOf(t.q(t.Data.Version, maxName), "this version") + " has no traffic. Serin goes on trying."
	default:
		return "*A person must act.*"
	}
}

// rules are the lines of the rules that decided.
func (t told) rules() string {
	signs := map[analysis.Verdict]string{analysis.Unhealthy: "✗", analysis.Healthy: "✓"}
	var all []string
	for _, j := range t.shown() {
		all = append(all, firstOf(signs[j.Verdict], "?")+" *"+firstOf(t.q(j.Rule, maxName), "rule")+"* "+measured(j, t.q))
	}
	return lines(maxSection, all)
}

// why is the cause and the reason in words.
func (t told) why() string {
	return strings.Join(compact([]string{causes[t.Data.Cause], t.reason()}), ": ")
}

// query is the query of the worst rule, to be asked again by a person.
func (t told) query() string {
	const most = 900 // of each of at most three
	shown := t.shown()
	if len(shown) == 0 || shown[0].Verdict == analysis.Healthy {
		return ""
	}
	r := shown[0].Reading
	var asked []string
	for _, q := range []string{r.Query, r.BadQuery, r.TotalQuery} {
		asked = append(asked, code(q, most))
	}
	if asked = compact(asked); len(asked) == 0 {
		return ""
	}
	return "```\n" + strings.Join(asked, "\n") + "\n```"
}

func (t told) ids() string {
	said := []string{t.q(t.Data.Rollout, maxName)}
	if !t.Time.IsZero() {
		said = append(said, t.Time.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	return strings.Join(compact(said), " · ")
}

// link is a Slack link to a web page; "" for anything else, and for an address that hides where it leads.
func link(address, name string) string {
	text := strings.NewReplacer("|", "%7C", "<", "%3C", ">", "%3E", "`", "%60", "&", "&amp;").Replace(webPage(address))
	if text == "" || units(text) > maxLink {
		return ""
	}
	return "<" + text + "|" + name + ">"
}

const maxLink = 1800 // of 3000 that a button may have

// webPage is an address as it is sent on; "" for what is no web page, and for what hides where it leads.
func webPage(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Host != flat(u.Host) || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	text := u.String()
	if flat(text) != text || strings.Contains(text, " ") || units(text) > maxLink {
		return ""
	}
	return text
}
