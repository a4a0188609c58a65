package notify_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/notify"
)

// said is the message that a template makes of an event.
func said(t *testing.T, text string, e deployments.Event) notify.Message {
	t.Helper()
	words, err := notify.ParseTemplate("words.tmpl", text)
	if err != nil {
		t.Fatal(err)
	}
	return posted(t.Context(), t, words, e)
}

func posted(ctx context.Context, t *testing.T, words *notify.Template, e deployments.Event) (m notify.Message) {
	t.Helper()
	slack := webhook(t, func(w http.ResponseWriter, r *http.Request) { _ = json.NewDecoder(r.Body).Decode(&m) })
	slack.Words = words
	if err := slack.Send(ctx, e); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestATemplateChoosesTheWords(t *testing.T) {
	m := said(t, `{{define "headline"}}{{.Service}} {{.Version}} is gone{{end -}}
*{{.Environment}}*{{range .Rules}}
{{.Name}}: {{.Said}}{{end}}
{{range .Done}}{{.}}; {{end}}`, stories()["rolled_back"])
	want := "*production*\nerror-rate: 18.2 % &gt; 5 % (stable 0.4 %, 412 requests, 2m)\nchckout"
	want = strings.Replace(want, "chckout", "checkout-version → 1.4.1 ✓ confirmed (evaluated by OpenFeature); rollback event published;", 1)
	if diff := cmp.Diff(want, m.Attachments[0].Blocks[0].Text.Text); diff != "" || m.Text != "checkout 1.4.2 is gone" || m.Attachments[0].Color != "#E01E5A" {
		t.Errorf("%s, %s (-want +got):\n%s", m.Text, m.Attachments[0].Color, diff)
	}
}

func TestTheTemplateOfTheChapterIsOne(t *testing.T) {
	m := said(t, "{{define \"headline\"}}{{.Emoji}} {{.Service}} {{.Version}}: {{.Event}}{{end -}}\n{{.Why}}{{range .Rules}}\n• *{{.Name}}* {{.Said}}{{end}}\n", stories()["failed"])
	if want := "a rule failed: error-rate failed for 1m\n• *error-rate* 18.2 % &gt; 5 % (stable 0.4 %, 412 requests, 2m)"; m.Text != "❌ checkout 1.4.2: rollout.failed" || m.Attachments[0].Blocks[0].Text.Text != want {
		t.Errorf("%q, %q", m.Text, m.Attachments[0].Blocks[0].Text.Text)
	}
}

func TestAMistakeInATemplateIsFoundAtItsLine(t *testing.T) {
	for text, want := range map[string]string{
		"{{.Service}}\n{{if}}":                                  `words.tmpl:2:1: error: missing value for if`,
		"{{.Service}}\n\n  {{.Servce}}":                         `words.tmpl:3:5: error: <.Servce>: can't evaluate field Servce in type notify.Facts`,
		"{{range .Rules}}{{.Nme}}{{end}}":                       `words.tmpl:1:19: error: <.Nme>: can't evaluate field Nme`,
		`{{define "headline"}}{{.X}}{{end}}`:                    `can't evaluate field X`,
		`{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`: "exceeded maximum template depth",
		`{{define "a"}}0123456789012345678901234567890123456789{{template "a"}}{{end}}{{template "a"}}`: "writes more than 65536 bytes",
		strings.Repeat("x", 70000): "is longer than 65536 bytes",
	} {
		if _, err := notify.ParseTemplate("words.tmpl", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %s", text, err, want)
		}
	}
	if _, err := notify.LoadTemplate("words.tmpl", file(t, "{{.Headline}}")); err != nil {
		t.Error(err)
	}
}

func TestATemplateThatFailsOnAnEventCostsNobodyTheMessage(t *testing.T) {
	words, err := notify.ParseTemplate("words.tmpl", `{{if eq .Event "rollout.promoted"}}{{index .Done 7}}{{end}}`)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := notify.Render(promoted)
	if diff := cmp.Diff(want, posted(t.Context(), t, words, promoted)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNoTemplateBreaksAMessage(t *testing.T) {
	words, err := notify.ParseTemplate("words.tmpl", "{{define \"headline\"}}{{.Headline}}\n{{.Why}}{{end}}{{range .Rules}}```{{.Query}}```\n{{.Name}} {{.Said}}\n{{end}}\x00{{.Why}}{{.Run}}{{range .Done}}{{.}}{{end}}")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		m := notify.InWords(hostileEvent(rt), words)
		c := checker{}
		for _, a := range m.Attachments {
			for _, b := range a.Blocks {
				if n := len([]rune(b.Text.Text)); n == 0 || n > 3000 {
					rt.Errorf("a section of %d characters", n)
				}
				c.expect(strings.Count(b.Text.Text, "```")%2 == 0, "an open code block: %q", b.Text.Text)
				c.expect(!strings.Contains(entity.ReplaceAllString(ours.ReplaceAllString(b.Text.Text, ""), ""), "&"), "a broken entity: %q", b.Text.Text)
			}
		}
		c.expect(m.Text != "" && !strings.Contains(m.Text, "\n"), "headline %q", m.Text)
		for _, problem := range c.found {
			rt.Error(problem)
		}
	})
}
