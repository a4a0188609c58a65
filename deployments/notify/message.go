package notify

// Message is what a Slack incoming webhook takes: a text, and one coloured attachment that holds the blocks. Slack shows
// the text above the attachment, in notifications, and to screen readers.
type Message struct {
	Text        string       `json:"text"`
	Attachments []Attachment `json:"attachments"`
	UnfurlLinks bool         `json:"unfurl_links"` // always false: Slack must not fetch what an event names
	UnfurlMedia bool         `json:"unfurl_media"`
}

// Attachment is a bar of colour with blocks beside it.
type Attachment struct {
	Color  string  `json:"color"`
	Blocks []Block `json:"blocks"`
}

// Block is a section (text or fields) or a context (elements).
type Block struct {
	Type     string       `json:"type"`
	Text     *TextObject  `json:"text,omitempty"`
	Fields   []TextObject `json:"fields,omitempty"`
	Elements []TextObject `json:"elements,omitempty"`
}

// TextObject is text in Slack's markup. It is always verbatim: Slack must not make links and mentions of its own.
type TextObject struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Verbatim bool   `json:"verbatim"`
}

// Slack's published limits. maxSection leaves room below the 3000 that a section's text may have.
const (
	maxSection = 2900
	maxField   = 2000
)

func mrkdwn(text string) TextObject { return TextObject{Type: "mrkdwn", Text: text, Verbatim: true} }

func section(text string) Block {
	object := mrkdwn(text)
	return Block{Type: "section", Text: &object}
}
