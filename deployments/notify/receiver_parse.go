package notify

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/internal/diag"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

// slackAPI is where Slack's Web API is.
const slackAPI = "https://slack.com/api"

var (
	nameForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)
	// inTheOpen is the cure for secrets that stand in the configuration.
	inTheOpen = map[string]string{"token": "a secret stands in a file: write token_file", "webhook": "the address is a secret: write it to a file, and name that as webhook_file",
		"webhook_url": "the address is a secret: write it to a file, and name that as webhook_file", "secret": "a secret stands in a file: write secret_file"}
)

// EventNames are the names of Serin's own events. A policy may publish others.
func EventNames() []string {
	var all []string
	for name := range phrases {
		if name != testName {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// ParseReceivers reads the list `notify:` of the configuration. Everything wrong becomes a finding. Paths are as written.
func ParseReceivers(v yamldoc.Value) []Receiver {
	var all []Receiver
	seen := map[string]bool{}
	for _, item := range v.List() {
		r, name, ok := parseReceiver(item)
		if !ok {
			continue
		}
		if seen[r.Name] && r.Name != "" {
			name.Errorf("give each its own: it keeps the receiver's place in the events", "the name %q is another receiver's", r.Name)
		}
		seen[r.Name] = true
		all = append(all, r)
	}
	return all
}

func parseReceiver(v yamldoc.Value) (r Receiver, name yamldoc.Value, ok bool) {
	m := v.Map("name", "slack", "webhook", "services", "environments", "events", "severity", "repeat_interval", "group", "template_file")
	if !m.IsMap() {
		return r, v, false
	}
	name = m.Get("name")
	r.Name, _ = name.String()
	switch {
	case !m.Has("name") && !m.Strange():
		m.Errorf("add `name: deploys`: it keeps the receiver's place in the events", "needs a name")
	case m.Has("name") && !nameForm.MatchString(r.Name):
		name.Errorf("write letters, digits, - and _", "%q has not 1 to 63 of letters, digits, - and _", r.Name)
	}
	switch {
	case m.Has("slack") && m.Has("webhook"):
		m.Key("webhook").Errorf("write a second receiver for it", "a receiver is told in one way, and this is a second")
	case m.Has("slack"):
		r.parseSlack(m.Get("slack"))
	case m.Has("webhook"):
		r.parseWebhook(m.Get("webhook"))
	case !m.Strange():
		m.Errorf("add `slack: {channel: \"#deploys\", token_file: FILE}`, `slack: {webhook_file: FILE}` or `webhook: {url: URL, secret_file: FILE}`", "says not how the receiver is told")
	}
	r.Services, r.Environments = patterns(m.Get("services")), patterns(m.Get("environments"))
	r.Events = events(m.Get("events"))
	if s, ok := m.Get("severity").Word(string(deployments.Info), string(deployments.Warning), string(deployments.Page)); ok {
		r.Severity = deployments.Severity(s)
	}
	r.parseHow(m)
	return r, name, true
}

func (r *Receiver) parseSlack(v yamldoc.Value) {
	m := v.MapWith(inTheOpen, "channel", "token_file", "webhook_file", "api_url")
	if !m.IsMap() {
		return
	}
	r.Channel, _ = m.Get("channel").String()
	r.TokenFile, _ = m.Get("token_file").String()
	r.WebhookFile, _ = m.Get("webhook_file").String()
	r.Kind, r.APIURL = SlackChannel, slackAPI
	if m.Has("webhook_file") {
		r.Kind = SlackWebhook
	}
	if m.Has("api_url") {
		r.APIURL = strings.TrimRight(address(m.Get("api_url")), "/")
	}
	switch {
	case r.Kind == SlackWebhook && (m.Has("channel") || m.Has("token_file") || m.Has("api_url")):
		m.Key("webhook_file").Errorf("keep channel and token_file, which edit one message a rollout, or webhook_file alone", "a webhook has its channel, and no token")
	case r.Kind == SlackWebhook || m.Strange():
	case !m.Has("channel") || !m.Has("token_file"):
		m.Errorf("write {channel: \"#deploys\", token_file: FILE}, or {webhook_file: FILE}", "needs channel and token_file, or webhook_file")
	case strings.ContainsFunc(r.Channel, func(c rune) bool { return c <= ' ' || strings.ContainsRune("<>&|", c) }):
		m.Get("channel").Errorf("write it as \"#deploys\", or as its id", "is no channel")
	}
}

func (r *Receiver) parseWebhook(v yamldoc.Value) {
	m := v.MapWith(inTheOpen, "url", "secret_file")
	if !m.IsMap() {
		return
	}
	r.Kind = HTTPWebhook
	r.URL = address(m.Get("url"))
	r.SecretFile, _ = m.Get("secret_file").String()
	if (!m.Has("url") || !m.Has("secret_file")) && !m.Strange() {
		m.Errorf("write {url: URL, secret_file: FILE}; make the secret with: echo whsec_$(openssl rand -base64 32)", "needs url and secret_file")
	}
}

// parseHow reads how often, together with what, and in which words.
func (r *Receiver) parseHow(m yamldoc.Map) {
	r.Group, r.Repeat = ByRollout, DefaultRepeat
	if !r.Person() {
		r.Repeat = 0
	}
	if d, ok := m.Get("repeat_interval").Duration(); ok {
		if r.Repeat = d; d != 0 && d < time.Minute {
			m.Get("repeat_interval").Errorf("write at least 1m, or 0 for never", "is shorter than a minute")
		}
	}
	if g, ok := m.Get("group").Word(string(ByRollout), string(ByEvent)); ok {
		if r.Group = Group(g); r.Kind != SlackChannel {
			m.Key("group").Errorf("remove it, or use a channel and a token", "only a bot's messages can be edited, and so shared by events")
		}
	}
	r.TemplateFile, _ = m.Get("template_file").String()
	if m.Has("template_file") && !r.Person() {
		m.Key("template_file").Errorf("remove it", "a webhook is sent the event itself, which has no words to choose")
	}
}

// address reads a URL without a password in it. Findings do not repeat it.
func address(v yamldoc.Value) string {
	const example = "write it as https://hooks.example/serin"
	text, ok := v.String()
	if !ok {
		return ""
	}
	switch u, err := url.Parse(text); {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		v.Errorf(example, "is no http or https URL")
	case u.User != nil:
		v.Errorf("leave it out: requests are signed", "a user or password stands in the URL")
	case u.Fragment != "":
		v.Errorf(example, "the URL has a fragment")
	}
	return text
}

// patterns reads names, each of which may have * and ?.
func patterns(v yamldoc.Value) []string {
	items := []yamldoc.Value{v}
	if v.IsList() {
		items = v.List()
	}
	var all []string
	for _, item := range items {
		text, ok := item.String()
		if !ok {
			continue
		}
		if _, err := path.Match(text, ""); err != nil {
			item.Errorf("* stands for anything, ? for one character", "%q is no pattern", text)
		}
		all = append(all, text)
	}
	return all
}

// events reads names of events, and patterns of them. A name that Serin has not is most likely misspelt; one that a
// policy publishes itself is written as a pattern.
func events(v yamldoc.Value) []string {
	all, known := patterns(v), EventNames()
	items := []yamldoc.Value{v}
	if v.IsList() {
		items = v.List()
	}
	for i, text := range all {
		if strings.ContainsAny(text, "*?[") || slices.Contains(known, text) || len(items) != len(all) {
			continue
		}
		cure := diag.Choose(text, known)
		items[i].Errorf(cure+"; an event of a policy's own is written as a pattern: \""+text+"*\"", "%q is no event of Serin's", text)
	}
	return all
}
