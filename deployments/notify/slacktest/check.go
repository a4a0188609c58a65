package slacktest

import (
	"encoding/json"
	"fmt"
	"unicode/utf16"
)

// Slack's published limits.
const (
	maxText     = 4000
	maxBlocks   = 50
	maxSection  = 3000
	maxField    = 2000
	maxFields   = 10
	maxElements = 10 // of a context
	maxActions  = 25
	maxHeader   = 150
	maxButton   = 75
	maxURL      = 3000
)

type textObject struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type block struct {
	Type     string            `json:"type"`
	Text     *textObject       `json:"text"`
	Fields   []textObject      `json:"fields"`
	Elements []json.RawMessage `json:"elements"`
}

type element struct {
	Type   string          `json:"type"`
	Action string          `json:"action_id"`
	URL    string          `json:"url"`
	Text   json.RawMessage `json:"text"`
}

// Check says what Slack's published limits refuse of a message.
func Check(text string, attachments []json.RawMessage) (found []string) {
	expect := func(ok bool, format string, args ...any) {
		if !ok {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	within := func(what, s string, limit int) {
		n := len(utf16.Encode([]rune(s)))
		expect(n > 0 && n <= limit, "%s of %d characters, limit %d", what, n, limit)
	}
	within("text", text, maxText)
	for _, raw := range attachments {
		var a struct {
			Blocks []block `json:"blocks"`
		}
		expect(json.Unmarshal(raw, &a) == nil, "an attachment is unreadable")
		expect(len(a.Blocks) > 0 && len(a.Blocks) <= maxBlocks, "%d blocks", len(a.Blocks))
		for _, b := range a.Blocks {
			checkBlock(b, expect, within)
		}
	}
	return found
}

func checkBlock(b block, expect func(bool, string, ...any), within func(string, string, int)) {
	switch b.Type {
	case "section":
		expect(b.Text != nil || len(b.Fields) > 0, "a section is empty")
		expect(len(b.Fields) <= maxFields, "%d fields", len(b.Fields))
		if b.Text != nil {
			within("section", b.Text.Text, maxSection)
		}
		for _, f := range b.Fields {
			within("field", f.Text, maxField)
		}
	case "header":
		expect(b.Text != nil && b.Text.Type == "plain_text", "a header without plain text")
		if b.Text != nil {
			within("header", b.Text.Text, maxHeader)
		}
	case "context":
		expect(len(b.Elements) > 0 && len(b.Elements) <= maxElements, "%d elements", len(b.Elements))
	case "actions":
		expect(len(b.Elements) > 0 && len(b.Elements) <= maxActions, "%d actions", len(b.Elements))
		checkButtons(b.Elements, expect, within)
	default:
		expect(false, "a block of type %q", b.Type)
	}
}

func checkButtons(all []json.RawMessage, expect func(bool, string, ...any), within func(string, string, int)) {
	seen := map[string]bool{}
	for _, raw := range all {
		var e element
		var text textObject
		expect(json.Unmarshal(raw, &e) == nil && json.Unmarshal(e.Text, &text) == nil && text.Type == "plain_text", "an element is no button: %s", raw)
		expect(!seen[e.Action], "two actions %q", e.Action)
		seen[e.Action] = true
		within("button", text.Text, maxButton)
		within("address", e.URL, maxURL)
	}
}
