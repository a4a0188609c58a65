package notify

import (
	"slices"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// runbookURL is the annotation of a rule that names what to do.
const runbookURL = "runbook_url"

// post is a message as chat.postMessage and chat.update take it.
type post struct {
	Channel     string           `json:"channel"`
	TS          string           `json:"ts,omitempty"`        // of chat.update
	Thread      string           `json:"thread_ts,omitempty"` // of an answer
	Broadcast   bool             `json:"reply_broadcast,omitempty"`
	Text        string           `json:"text"`
	Attachments []postAttachment `json:"attachments"` // never left out: chat.update would keep the old ones
	Metadata    metadata         `json:"metadata"`
	UnfurlLinks bool             `json:"unfurl_links"`
	UnfurlMedia bool             `json:"unfurl_media"`
}

type postAttachment struct {
	Color  string `json:"color"`
	Blocks []any  `json:"blocks"` // Block or buttons
}

// buttons are links; they need no endpoint of ours.
type buttons struct {
	Type     string   `json:"type"`
	Elements []button `json:"elements"`
}

type button struct {
	Type   string    `json:"type"`
	Action string    `json:"action_id"`
	URL    string    `json:"url"`
	Text   plainText `json:"text"`
}

type plainText struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// card is the one message of a rollout: its present state.
func card(e deployments.Event, words *Template) (string, postAttachment) {
	t, l := told{Event: e, q: markup}, cardLook(e)
	if own, err := words.render(factsOf(t)); err == nil && own != nil {
		return own.headline, attachment(l.colour, own.blocks())
	}
	blocks := []Block{{Type: "section", Fields: t.fields()}}
	for _, text := range []string{t.order(), t.rules(), lines(maxSection, t.done()), t.why()} {
		if text != "" {
			blocks = append(blocks, section(text))
		}
	}
	a := attachment(l.colour, blocks)
	if b := t.buttons(); len(b) > 0 {
		a.Blocks = append(a.Blocks, buttons{"actions", b})
	}
	if ids := t.ids(); ids != "" {
		a.Blocks = append(a.Blocks, Block{Type: "context", Elements: []TextObject{mrkdwn(ids)}})
	}
	return l.emoji + " " + t.headline(), a
}

// render is what the event makes of a rollout's message, and the answer to it.
func (b *Bot) render(e deployments.Event) any {
	j := &job{event: e, id: e.ID, key: keyOf("thread", b.receiver.Name, b.group(e))}
	j.thread.merge(e)
	text, body := card(j.thread.shows(), b.words)
	sent := struct {
		Message post  `json:"message"`
		Answer  *post `json:"answer,omitempty"`
	}{Message: post{Channel: b.receiver.Channel, Text: text, Attachments: []postAttachment{body}, Metadata: mark{j.key, cardID}.data()}}
	if b.answers(j) {
		text, attachments := answerTo(e, 0)
		sent.Answer = &post{Channel: b.receiver.Channel, Broadcast: rank(e.Severity) > 0, Text: text, Attachments: attachments, Metadata: mark{j.key, e.ID}.data()}
	}
	return sent
}

func attachment(colour string, blocks []Block) postAttachment {
	a := postAttachment{Color: colour}
	for _, b := range blocks {
		a.Blocks = append(a.Blocks, b)
	}
	return a
}

// cardLook is an event's look as the state of a rollout.
func cardLook(e deployments.Event) look {
	switch _, decision := looks[e.Name]; {
	case e.Name == "rollout.restored":
		return look{"↩️", warning}
	case e.Name == "rollback.requested" || e.Name == "flag.requested", e.Name == "release.superseded" && e.Data.FromPercent > 0:
		return lookOf(deployments.Event{Name: "rollback.completed", Severity: e.Severity, Data: e.Data})
	case e.Name == "rollout.paused":
		return look{"⏸️", warning}
	case decision || e.Severity != deployments.Info && e.Severity != "":
		return lookOf(e)
	case heads[e.Name] > 0:
		return looks["step.started"]
	default:
		return lookOf(e)
	}
}

// answerTo is an event as one of the answers in the thread.
func answerTo(e deployments.Event, again int) (string, []postAttachment) {
	t, l := told{Event: e, q: markup, again: again}, lookOf(e)
	var blocks []Block
	for _, text := range []string{t.order(), t.rules(), t.doneNow(), t.reason(), t.query()} {
		if text != "" {
			blocks = append(blocks, section(text))
		}
	}
	if len(blocks) == 0 {
		return l.emoji + " " + t.headline(), []postAttachment{}
	}
	return l.emoji + " " + t.headline(), []postAttachment{attachment(l.colour, blocks)}
}

// doneNow is what was done, where the event is about that.
func (t told) doneNow() string {
	if slices.Contains([]string{"rollback.completed", "rollback.failed", "rollback.requested", "flag.failed"}, t.Name) {
		return lines(maxSection, t.done())
	}
	return ""
}

// restored is the headline at the end of a rollout that was taken back.
func (t told) restored() string {
	text, d := "", t.Data
	if slices.ContainsFunc(d.Actions, func(a steps.ActionState) bool { return a.Kind == steps.RollbackAction }) {
		text = " rolled back" + t.from()
	}
	switch {
	case !d.Restored.IsZero():
		return text + ": the failed rules are healthy again"
	case d.Cause == steps.ByRules, d.Cause == steps.ByLostData:
		return text + ": the failed rules were not seen healthy again"
	}
	return firstOf(text, " is over")
}

// buttons are the pages that an event knows of.
func (t told) buttons() []button {
	const most = 5 // of 25 that Slack takes
	var all []button
	add := func(action, name, address string) {
		page := webPage(address)
		known := func(b button) bool { return b.URL == page }
		if page != "" && len(all) < most && !slices.ContainsFunc(all, known) {
			all = append(all, button{"button", action, page, plainText{"plain_text", plain(name, maxButton)}})
		}
	}
	add("run", "Run", t.Data.RunURL)
	for _, j := range t.shown() {
		add("runbook-"+count(len(all)), "Runbook: "+j.Rule, j.Annotations[runbookURL])
	}
	return all
}

// maxButton is below the 75 characters that a button's text may have.
const maxButton = 60
