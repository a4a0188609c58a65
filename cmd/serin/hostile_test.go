package main

import (
	"encoding/json"
	"encoding/xml"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/deployments/notify"
)

// hostile are strings that mean something to one of the places where Serin writes what others said.
var hostile = map[string]string{
	"a mention in Slack":    "<!channel> <@U123> <#C1|x>",
	"a link in Slack":       "<https://evil.example|harmless>",
	"markup in Slack":       "*bold* _it_ ~no~ `code` ```block``` &lt;!here&gt;",
	"an escape sequence":    "a\x1b[2J\x1b]8;;http://evil\x07link\x1b]8;;\x07",
	"an 8-bit escape":       "a\u009b31mred",
	"turned writing":        "a\u202egpj.exe\u202c \u2066x\u2069 \u202ab\u202d \u200f\u061c",
	"line breaks":           "a\r\nb\nc\u2028d\u2029e\u0085f",
	"a command of GitHub":   "::error file=a::x\n::set-output name=x::y",
	"a command behind it":   "x\r\n::stop-commands::abc",
	"a command of Azure":    "##[error]x ##vso[task.setvariable variable=a]b",
	"a link in Markdown":    "[x](javascript:alert(1)) ![i](http://evil/x.png) <http://evil>",
	"a table in Markdown":   "a | b |\n|---|---|\n| c",
	"backticks":             "`a` ``b`` ```c\nd```",
	"HTML":                  `<script>alert(1)</script><img src=x onerror="alert(1)">'"&`,
	"zero width":            "a\u200b\u200c\u200d\ufeffb",
	"a megabyte":            strings.Repeat("<!channel>|", 100_000),
	"bytes that no text is": "a\xff\xfe\x80b<!channel>",
	"the end of CDATA":      "]]> --> </td>",
	"nothing to see":        "\x00\x07\x08\x7f",
}

// hostileEvent is an event in which everything that others choose is one string.
func hostileEvent(name, s string) deployments.Event {
	n := analysis.Number(0.5)
	return deployments.Event{ID: "r/1/" + name, Name: name, Severity: deployments.Page, Time: time.Unix(1, 0), Slot: deployments.Slot{Environment: "production", Service: "checkout"},
		Subject: "event.production.checkout." + name,
		Data: deployments.EventData{Service: "checkout", Environment: "production", Version: s, Stable: s, Release: s, Rollout: s, Reason: s, By: s, From: s, To: deployments.BackTo(s), Target: s, Author: s, RunURL: "https://ci/" + s,
			Rev: 1, Step: 1, Percent: 5,
			Evidence: []analysis.Judgement{{Rule: s, Verdict: analysis.Unhealthy, Reason: s, Failing: []string{s}, Annotations: map[string]string{"summary": s},
				Reading: analysis.Reading{Query: s, BadQuery: s, Value: &n, Limit: &n, LimitKind: s, Labels: map[string]string{"a": s}, Error: s}}}}}
}

// unprintable are the characters that a terminal obeys, or that turn what a person reads.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}

func TestHostileTextIsHarmlessInATerminal(t *testing.T) {
	for name, s := range hostile {
		for what, said := range map[string]string{"clean": clean(s), "an event's line": clean(notify.Text(hostileEvent("rollout.failed", s)))} {
			if strings.ContainsFunc(said, unprintable) || !utf8.ValidString(said) {
				t.Errorf("%s: %s is %.120q", name, what, said)
			}
		}
		if line := notify.Text(hostileEvent("rollout.failed", s)); len(line) > 20_000 {
			t.Errorf("%s: a line of %d bytes", name, len(line))
		}
	}
}

// slackControl is what Slack takes for a mention or a link.
var slackControl = regexp.MustCompile(`<[!@#]|<https?://evil|\|harmless>`)

func TestHostileTextIsHarmlessInSlack(t *testing.T) {
	for name, s := range hostile {
		s = s[:min(len(s), 64<<10)] // twelve fields of it are as much as a message of NATS holds
		for _, event := range notify.EventNames() {
			m, wanted := notify.Render(hostileEvent(event, s))
			if !wanted {
				continue
			}
			text, err := json.Marshal(m)
			if err != nil || len(text) > 100_000 {
				t.Errorf("%s in %s: %d bytes, %v", name, event, len(text), err)
			}
			var read any
			if err := json.Unmarshal(text, &read); err != nil {
				t.Fatal(err)
			}
			for _, said := range texts(read) {
				if slackControl.MatchString(said) || strings.ContainsFunc(strings.ReplaceAll(said, "\n", ""), unprintable) {
					t.Errorf("%s in %s: %.200q", name, event, said)
				}
			}
		}
	}
}

// texts are all strings of a JSON value.
func texts(v any) []string {
	var out []string
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, inside := range v {
			out = append(out, texts(inside)...)
		}
	case map[string]any:
		for _, inside := range v {
			out = append(out, texts(inside)...)
		}
	}
	return out
}

// live is Markdown that is more than text: HTML, a link, emphasis, code.
var live = regexp.MustCompile("(^|[^\\\\])[<`\\[|*~]")

func TestHostileTextIsHarmlessInMarkdown(t *testing.T) {
	for name, s := range hostile {
		for what, said := range map[string]string{"text": markdown(s), "a cell": tableCell(s)} {
			if got := live.FindString(strings.ReplaceAll(said, `\\`, "")); got != "" || strings.ContainsAny(said, "\r\n") || strings.ContainsFunc(said, unprintable) {
				t.Errorf("%s as %s has a live %q: %.120q", name, what, got, said)
			}
		}
		if len(s) > 1000 && len(tableCell(s)) > 2000 {
			t.Errorf("%s: a cell of %d bytes", name, len(tableCell(s)))
		}
	}
}

func TestHostileTextIsNoCommandOfAPipeline(t *testing.T) {
	for name, s := range hostile {
		for what, said := range map[string]string{"a line": inert(s), "a message": commandData(s), "a property": commandProperty(s), "an output": ciValue(s), "a variable": safeValue(s)} {
			if strings.ContainsAny(said, "\r\n") || strings.Contains(said, "##[") && what == "a line" || what == "a line" && strings.HasPrefix(strings.TrimSpace(said), "::") ||
				strings.ContainsFunc(said, unprintable) {
				t.Errorf("%s as %s: %.120q", name, what, said)
			}
		}
		if said := commandProperty(s); strings.ContainsAny(said, ",:") {
			t.Errorf("%s ends a property: %.120q", name, said)
		}
		if said := safeValue(s); strings.ContainsAny(said, "$`\"'\\;&|<>() ") {
			t.Errorf("%s means something to a shell: %.120q", name, said)
		}
	}
}

func TestHostileTextIsNoMarkupInJUnit(t *testing.T) {
	for name, s := range hostile {
		text, err := xml.Marshal(junitFailure{Message: ciValue(s), Text: clean(s)})
		if err != nil {
			t.Fatal(err)
		}
		var read junitFailure
		if err := xml.Unmarshal(text, &read); err != nil || read.Message != ciValue(s) {
			t.Errorf("%s: %v: %.200s", name, err, text)
		}
	}
}

func TestHostileTextOfAReleaseIsRefusedOrHarmless(t *testing.T) {
	for name, s := range hostile {
		for _, field := range []string{"version", "id", "artifact", "commit", "ref", "author", "run_url", "service", "environment"} {
			body := map[string]string{"version": "1.4.2"}
			body[field] = s
			text, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			r, err := jetstream.DecodeRelease("serin.release.production.checkout", nil, text)
			if err != nil {
				if deployments.Refusal(err) == "" {
					t.Errorf("%s in %s: %v is no refusal", name, field, err)
				}
				continue
			}
			for _, said := range []string{r.Version, r.ID, r.Artifact, r.Commit, r.Ref, r.Author, r.RunURL, r.Service, r.Environment} {
				if strings.ContainsFunc(said, unprintable) || len(said) > 1024 {
					t.Errorf("%s in %s is accepted: %.120q", name, field, said)
				}
			}
		}
	}
}

func TestHostileTextComesThroughEventsAsItIs(t *testing.T) {
	for name, s := range hostile {
		want := hostileEvent("rollout.failed", s)
		for mode, encode := range map[string]func(jetstream.Names, deployments.Event) (*nats.Msg, error){"binary": jetstream.EncodeEvent, "structured": jetstream.EncodeStructured} {
			msg, err := encode(jetstream.Names{}, want)
			if err != nil {
				t.Fatal(err)
			}
			for key, values := range msg.Header {
				if strings.ContainsFunc(values[0], func(r rune) bool { return r > '~' || r < ' ' }) || strings.ContainsAny(key, "\r\n ") {
					t.Errorf("%s in %s: header %s is %.120q", name, mode, key, values[0])
				}
			}
			got, err := jetstream.DecodeEvent(jetstream.Names{}, msg.Subject, msg.Header, msg.Data)
			if err != nil || got.Data.Reason != strings.ToValidUTF8(s, "\uFFFD") && utf8.ValidString(s) {
				t.Errorf("%s in %s: %v: %.120q", name, mode, err, got.Data.Reason)
			}
		}
	}
}
