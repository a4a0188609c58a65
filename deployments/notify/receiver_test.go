package notify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/notify"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

func parse(t *testing.T, text string) ([]notify.Receiver, []string) {
	t.Helper()
	file, docs := yamldoc.Parse("serin.yaml", []byte("notify:\n"+text))
	if len(docs) != 1 {
		t.Fatalf("%d documents: %v", len(docs), file.Findings)
	}
	all := notify.ParseReceivers(docs[0].Map("notify").Get("notify"))
	var found []string
	for _, f := range file.Findings.Sorted() {
		found = append(found, f.String())
	}
	return all, found
}

func TestReceiversAreReadFromTheConfiguration(t *testing.T) {
	got, found := parse(t, `
- {name: deploys, slack: {channel: "#deploys", token_file: token}, services: [checkout, "pay-*"], environments: production, severity: warning, repeat_interval: 1h, template_file: words.tmpl}
- {name: hook, slack: {webhook_file: url}}
- {name: audit, webhook: {url: "https://hooks.example/in?tenant=a", secret_file: secret}, events: ["rollback.*", rollout.promoted]}
- {name: each, slack: {channel: C0123, token_file: token, api_url: "http://127.0.0.1:1/api/"}, group: event, repeat_interval: 0s}
`)
	if len(found) > 0 {
		t.Error(strings.Join(found, "\n"))
	}
	want := []notify.Receiver{
		{Name: "deploys", Kind: notify.SlackChannel, Channel: "#deploys", TokenFile: "token", APIURL: "https://slack.com/api", Services: []string{"checkout", "pay-*"},
			Environments: []string{"production"}, Severity: deployments.Warning, Repeat: time.Hour, Group: notify.ByRollout, TemplateFile: "words.tmpl"},
		{Name: "hook", Kind: notify.SlackWebhook, WebhookFile: "url", APIURL: "https://slack.com/api", Repeat: 30 * time.Minute, Group: notify.ByRollout},
		{Name: "audit", Kind: notify.HTTPWebhook, URL: "https://hooks.example/in?tenant=a", SecretFile: "secret", Events: []string{"rollback.*", "rollout.promoted"}, Group: notify.ByRollout},
		{Name: "each", Kind: notify.SlackChannel, Channel: "C0123", TokenFile: "token", APIURL: "http://127.0.0.1:1/api", Group: notify.ByEvent},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("receivers (-want +got):\n%s", diff)
	}
}

func TestWhatIsWrongWithAReceiverIsFound(t *testing.T) {
	for text, want := range map[string]string{
		`- {slack: {webhook_file: f}}`:            "serin.yaml:2:3: error: notify[0]: needs a name; add `name: deploys`: it keeps the receiver's place in the events",
		`- {name: a b, slack: {webhook_file: f}}`: `notify[0].name: "a b" has not 1 to 63 of letters`,
		`- {name: a}`: "says not how the receiver is told",
		`- {name: a, slack: {webhook_file: f}, webhook: {}}`:                                 "a receiver is told in one way, and this is a second",
		`- {name: a, slack: {channel: "#a"}}`:                                                "needs channel and token_file, or webhook_file",
		`- {name: a, slack: {channel: "a b", token_file: f}}`:                                "is no channel",
		`- {name: a, slack: {channel: "#a", token: xoxb-1}}`:                                 `unknown key "token"; a secret stands in a file: write token_file`,
		`- {name: a, slack: {channel: "#a", webhook_file: f}}`:                               "a webhook has its channel, and no token",
		`- {name: a, webhook: {url: "https://x.example"}}`:                                   "needs url and secret_file",
		`- {name: a, webhook: {url: "https://u:hush@x.example", secret_file: f}}`:            "a user or password stands in the URL",
		`- {name: a, webhook: {url: "hush", secret_file: f}}`:                                "is no http or https URL",
		`- {name: a, slack: {webhook_file: f}, events: [rollout.prmoted]}`:                   `events[0]: "rollout.prmoted" is no event of Serin's; did you mean "rollout.promoted"?; an event of a policy's own is written as a pattern: "rollout.prmoted*"`,
		`- {name: a, slack: {webhook_file: f}, events: ["[a"]}`:                              "is no pattern",
		`- {name: a, slack: {webhook_file: f}, severity: high}`:                              `"high" is not one of info, warning, page`,
		`- {name: a, slack: {webhook_file: f}, repeat_interval: 5s}`:                         "is shorter than a minute",
		`- {name: a, slack: {webhook_file: f}, group: event}`:                                "only a bot's messages can be edited",
		`- {name: a, webhook: {url: "https://x.example", secret_file: f}, template_file: t}`: "a webhook is sent the event itself",
		"- {name: a, slack: {webhook_file: f}}\n- {name: a, slack: {webhook_file: g}}":       `serin.yaml:3:10: error: notify[1].name: the name "a" is another receiver's`,
	} {
		_, found := parse(t, text+"\n")
		if len(found) != 1 || !strings.Contains(found[0], want) || strings.Contains(strings.Join(found, ""), "hush") || strings.Contains(strings.Join(found, ""), "xoxb") {
			t.Errorf("%s\nfound %q\nwant  %q", text, found, want)
		}
	}
}

func TestAReceiverIsToldOfWhatItAsksFor(t *testing.T) {
	bot := notify.Receiver{Kind: notify.SlackChannel}
	hook := notify.Receiver{Kind: notify.HTTPWebhook}
	with := func(r notify.Receiver, change func(*notify.Receiver)) notify.Receiver { change(&r); return r }
	failing := event("rule.failing", func(e *deployments.Event) { e.Severity = deployments.Warning })
	turned := event("rule.failing", func(e *deployments.Event) { turnedBack(&e.Data); e.Severity = deployments.Warning })
	for name, c := range map[string]struct {
		r    notify.Receiver
		e    deployments.Event
		want bool
	}{
		"people get decisions":             {bot, event("rollout.promoted", nil), true},
		"and no facts":                     {bot, event("traffic.confirmed", nil), false},
		"unless they ask for them":         {with(bot, func(r *notify.Receiver) { r.Events = []string{"traffic.*"} }), event("traffic.confirmed", nil), true},
		"and then nothing else":            {with(bot, func(r *notify.Receiver) { r.Events = []string{"traffic.*"} }), event("rollout.promoted", nil), false},
		"machines get all":                 {hook, event("traffic.confirmed", nil), true},
		"of the service":                   {with(hook, func(r *notify.Receiver) { r.Services = []string{"check*"} }), failing, true},
		"and not of others":                {with(hook, func(r *notify.Receiver) { r.Services = []string{"cart", "pay-*"} }), failing, false},
		"of the environment":               {with(hook, func(r *notify.Receiver) { r.Environments = []string{"staging"} }), failing, false},
		"as grave as asked":                {with(hook, func(r *notify.Receiver) { r.Severity = deployments.Warning }), failing, true},
		"or graver":                        {with(hook, func(r *notify.Receiver) { r.Severity = deployments.Page }), failing, false},
		"a failure stands for the rule":    {with(bot, func(r *notify.Receiver) { r.Events = []string{"*"} }), turned, false},
		"which a person is told of before": {with(bot, func(r *notify.Receiver) { r.Events = []string{"*"} }), failing, true},
		"and a machine of both":            {hook, turned, true},
	} {
		if got := c.r.Wants(c.e); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
