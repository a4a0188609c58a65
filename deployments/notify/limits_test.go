package notify_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/notify"
	"github.com/serin-cd/serin/deployments/notify/slacktest"
	"github.com/serin-cd/serin/steps"
)

// problems checks a message, as Slack would get it, against Slack's published shapes and limits.
func problems(message notify.Message) []string {
	c := checker{}
	var m map[string]any
	text, err := json.Marshal(message)
	c.expect(err == nil && json.Unmarshal(text, &m) == nil, "is no JSON: %v", err)
	c.keys("message", m, "text", "attachments", "unfurl_links", "unfurl_media")
	c.text("message", m["text"], 4000)
	attachments, _ := m["attachments"].([]any)
	c.expect(len(attachments) == 1, "%d attachments", len(attachments))
	for _, a := range attachments {
		a, _ := a.(map[string]any)
		c.keys("attachment", a, "color", "blocks")
		color, _ := a["color"].(string)
		c.expect(regexp.MustCompile(`^#[0-9A-F]{6}$`).MatchString(color), "color %q", color)
		blocks, _ := a["blocks"].([]any)
		c.expect(len(blocks) >= 1 && len(blocks) <= 50, "%d blocks", len(blocks))
		for _, b := range blocks {
			b, _ := b.(map[string]any)
			c.block(b)
		}
	}
	return c.found
}

type checker struct{ found []string }

func (c *checker) expect(ok bool, format string, args ...any) {
	if !ok {
		c.found = append(c.found, fmt.Sprintf(format, args...))
	}
}

func (c *checker) keys(what string, m map[string]any, known ...string) {
	for k := range m {
		c.expect(strings.Contains(" "+strings.Join(known, " ")+" ", " "+k+" "), "%s has a key %q", what, k)
	}
}

func (c *checker) block(b map[string]any) {
	switch b["type"] {
	case "section":
		c.keys("section", b, "type", "text", "fields")
		fields, _ := b["fields"].([]any)
		c.expect(b["text"] != nil || len(fields) > 0, "a section is empty")
		c.expect(len(fields) <= 10, "%d fields", len(fields))
		for _, f := range fields {
			c.object(f, 2000)
		}
		if b["text"] != nil {
			c.object(b["text"], 3000)
		}
	case "context":
		c.keys("context", b, "type", "elements")
		elements, _ := b["elements"].([]any)
		c.expect(len(elements) >= 1 && len(elements) <= 10, "%d elements", len(elements))
		for _, e := range elements {
			c.object(e, 3000)
		}
	default:
		c.expect(false, "a block of type %v", b["type"])
	}
}

func (c *checker) object(v any, limit int) {
	o, _ := v.(map[string]any)
	c.keys("text object", o, "type", "text", "verbatim")
	c.expect(o["type"] == "mrkdwn" && o["verbatim"] == true, "text object %v is not verbatim mrkdwn", o)
	c.text("text object", o["text"], limit)
}

var (
	ours   = regexp.MustCompile(`<https?://[^\s<>|]+\|run>`)
	entity = regexp.MustCompile(`&(amp|lt|gt);`)
)

func (c *checker) text(what string, v any, limit int) {
	s, _ := v.(string)
	n := len(utf16.Encode([]rune(s)))
	c.expect(strings.TrimSpace(s) != "" && n <= limit, "%s of %d characters, limit %d", what, n, limit)
	c.expect(utf8.ValidString(s), "%s is no UTF-8: %q", what, s)
	c.expect(!strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) }), "%s has control characters: %q", what, s)
	c.expect(!strings.ContainsAny(ours.ReplaceAllString(s, ""), "<>"), "%s has markup that is not ours: %q", what, s)
	c.expect(!strings.Contains(entity.ReplaceAllString(s, ""), "&"), "%s has a broken entity: %q", what, s)
	inside, fenced := strings.CutPrefix(s, "```\n")
	if fenced {
		inside, fenced = strings.CutSuffix(inside, "\n```")
		c.expect(fenced, "a code block is not closed: %q", s)
	}
	c.expect(!strings.Contains(inside, "`"), "%s has a backtick: %q", what, s)
}

// hostile draws the strings that break things.
func hostile() *rapid.Generator[string] {
	fragment := rapid.OneOf(
		rapid.SampledFrom([]string{
			"", "<!channel>", "<@U123>", "<https://evil.example|run>", "&amp;", "&", "`", "```", "\n", "\r\n", "\x00", "\x1b[31m", "\u202e", "\u200b", "\u2028",
			"*", "_", "~", "|", ">", "😀", "e\u0301", "\xff\xfe", "@here", "http://", "https://u:p@evil.example/", " ", "\t",
		}),
		rapid.String(),
		rapid.Map(rapid.SampledFrom([]int{79, 80, 81, 299, 301, 5000}), func(n int) string { return strings.Repeat("&", n) }),
		rapid.Map(rapid.SampledFrom([]int{39, 40, 41, 600, 3000}), func(n int) string { return strings.Repeat("😀", n) }),
	)
	return rapid.Map(rapid.SliceOfN(fragment, 0, 3), func(all []string) string { return strings.Join(all, "") })
}

func hostileJudgement(rt *rapid.T, s func(string) string) analysis.Judgement {
	number := func(name string) *analysis.Number {
		return rapid.Ptr(rapid.Map(rapid.Float64(), func(f float64) analysis.Number { return analysis.Number(f) }), true).Draw(rt, name)
	}
	return analysis.Judgement{
		Rule: s("rule"), Verdict: analysis.Verdict(rapid.IntRange(0, 7).Draw(rt, "verdict")), Reason: s("why"),
		Lost: rapid.Bool().Draw(rt, "lost"), Critical: rapid.Bool().Draw(rt, "critical"),
		Reading: analysis.Reading{
			Query: s("query"), BadQuery: s("bad"), TotalQuery: s("all"), Error: s("error"), LimitKind: s("kind"),
			Window: time.Duration(rapid.Int64().Draw(rt, "window")), Value: number("value"), Limit: number("limit"),
			Stable: number("stable"), Total: number("total"),
		},
	}
}

func hostileEvent(rt *rapid.T) deployments.Event {
	text := hostile()
	s := func(name string) string { return text.Draw(rt, name) }
	percent := func(name string) float64 { return rapid.Float64().Draw(rt, name) }
	e := deployments.Event{
		ID: s("id"), Name: rapid.OneOf(rapid.SampledFrom(names), hostile()).Draw(rt, "name"),
		Severity: rapid.SampledFrom([]deployments.Severity{"", deployments.Info, deployments.Warning, deployments.Page}).Draw(rt, "severity"),
		Time:     time.Unix(rapid.Int64Range(-1e10, 1e10).Draw(rt, "time"), 0),
		Data: deployments.EventData{
			Service: s("service"), Environment: s("environment"), Version: s("version"), Stable: s("stable"), Rollout: s("rollout"),
			Step: rapid.Int().Draw(rt, "step"), Percent: percent("percent"), Confirmed: percent("confirmed"), FromPercent: percent("from"),
			Cause: steps.Cause(s("cause")), Reason: s("reason"), By: s("by"), Target: s("target"), Author: s("author"), RunURL: s("url"),
			To: deployments.BackTo(hostile().Draw(rt, "to")), Started: time.Unix(rapid.Int64Range(-1e10, 1e10).Draw(rt, "started"), 0),
		},
	}
	if rapid.Bool().Draw(rt, "an audience") {
		e.Data.Percent, e.Data.Confirmed, e.Data.FromPercent = 0, 0, 0
		e.Data.Audience = steps.Audience{{s("attribute"): {s("pattern")}}}
		e.Data.FromAudience = e.Data.Audience
	}
	if rapid.Bool().Draw(rt, "a page") {
		e.Data.RunURL = "https://ci.example/" + e.Data.RunURL
	}
	for range rapid.IntRange(0, 25).Draw(rt, "rules") {
		e.Data.Evidence = append(e.Data.Evidence, hostileJudgement(rt, s))
	}
	for range rapid.IntRange(0, 25).Draw(rt, "actions") {
		kind := rapid.OneOf(rapid.SampledFrom([]string{"rollback", "flag", "event"}), hostile()).Draw(rt, "kind")
		a := steps.ActionState{Action: steps.Action{Kind: steps.ActionKind(kind), Key: s("key")}, How: s("how")}
		if rapid.Bool().Draw(rt, "done") {
			a.Confirmed = e.Time
		}
		e.Data.Actions = append(e.Data.Actions, a)
	}
	return e
}

func TestNoEventBreaksAMessage(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		e := hostileEvent(rt)
		message, ok := notify.Render(e)
		if ok {
			for _, problem := range problems(message) {
				rt.Error(problem)
			}
		}
		if ok == (notify.Slack{}).Wants(e) {
			return
		}
		rt.Error("Wants and Render disagree")
	})
}

func TestNoEventBreaksALine(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		line := notify.Text(hostileEvent(rt))
		if !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }) {
			rt.Errorf("not safe to print: %q", line)
		}
		const most = 20_000
		if len(line) > most {
			rt.Errorf("a line of %d bytes", len(line))
		}
	})
}

func TestAMessageCannotMentionLinkOrLeaveItsCodeBlock(t *testing.T) {
	e := event("rollout.failed", func(e *deployments.Event) {
		turnedBack(&e.Data)
		e.Data.Version = "1.4.2 <!channel>"
		e.Data.Author = "<@U0123>"
		e.Data.Reason = "see <https://evil.example|the run>\n```*bold*```"
		e.Data.RunURL = "https://ci.example/?q=|evil>&x=`<!here>"
		e.Data.Evidence[0].Reading.BadQuery = "```<!everyone>\x1b[31m\nup"
	})
	message, _ := notify.Render(e)
	for _, problem := range problems(message) {
		t.Error(problem)
	}
	golden(t, "hostile.json", pretty(t, message))
}

func TestAnAddressThatHidesItsHostIsNoLink(t *testing.T) {
	for _, address := range []string{"javascript:alert(1)", "https://ci.example@evil.example/", "//evil.example", "file:///etc/passwd", "https://", "https://x/" + strings.Repeat("a", 3000), "https://\u202ex/"} {
		message, _ := notify.Render(event("rollout.promoted", func(e *deployments.Event) { e.Data.RunURL = address }))
		if text := pretty(t, message); strings.Contains(text, "|run>") {
			t.Errorf("%q became a link: %s", address, text)
		}
	}
}

func TestValuesThatDifferNeverLookTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		value, limit := rapid.Float64Range(0, 1).Draw(rt, "value"), rapid.Float64Range(0, 1).Draw(rt, "limit")
		e := event("rollout.failed", func(e *deployments.Event) {
			turnedBack(&e.Data)
			e.Data.Evidence[0].Reading.Value, e.Data.Evidence[0].Reading.Limit = new(analysis.Number(value)), new(analysis.Number(limit))
		})
		line := notify.Text(e)
		said := regexp.MustCompile(`error-rate (\S+) % ([<>=]) (\S+) %`).FindStringSubmatch(line)
		if said == nil {
			rt.Fatalf("no comparison in %q", line)
		}
		if (said[1] == said[3]) != (said[2] == "=") {
			rt.Errorf("%v and %v: %q", value, limit, said[0])
		}
	})
}

func TestNoEventBreaksABotsMessage(t *testing.T) {
	teller, err := notify.Open(notify.Receiver{Name: "bot", Kind: notify.SlackChannel, Channel: "#deploys", Group: notify.ByRollout}, notify.Options{Memory: &notify.Brief{}})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		e := hostileEvent(rt)
		for i := range e.Data.Evidence {
			e.Data.Evidence[i].Annotations = map[string]string{"runbook_url": "https://runbooks.example/" + hostile().Draw(rt, "runbook")}
		}
		text, err := teller.Render(e)
		if err != nil {
			rt.Fatal(err)
		}
		type post struct {
			Text        string
			Attachments []json.RawMessage
		}
		var sent struct {
			Message post
			Answer  *post
		}
		if err := json.Unmarshal(text, &sent); err != nil {
			rt.Fatal(err)
		}
		found := slacktest.Check(sent.Message.Text, sent.Message.Attachments)
		if sent.Answer != nil {
			found = append(found, slacktest.Check(sent.Answer.Text, sent.Answer.Attachments)...)
		}
		for _, problem := range found {
			rt.Error(problem)
		}
	})
}
