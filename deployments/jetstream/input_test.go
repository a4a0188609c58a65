package jetstream

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

func parseInputs(t *testing.T, text string) ([]Input, string) {
	t.Helper()
	file, docs := yamldoc.Parse("serin.yaml", []byte(text))
	if len(docs) != 1 {
		t.Fatalf("%d documents", len(docs))
	}
	inputs := ParseInputs(docs[0])
	var wrong []string
	for _, f := range file.Findings {
		wrong = append(wrong, f.String()+" "+f.Cure)
	}
	return inputs, strings.Join(wrong, "\n")
}

const ciInput = `
- name: ci
  subject: ci.deploys.>
  stream: CI
  format: json
  map: {service: .app, version: .tag, environment: subject.3, commit: .git.sha, id: header:X-Build, author: .authors.0}
  defaults: {ref: main}
  only: {.status: success, .kind: [deploy, hotfix]}
`

func TestInputsAreReadFromAConfiguration(t *testing.T) {
	got, wrong := parseInputs(t, ciInput+"- {name: bus, subject: cdevents.service.*, format: cdevents}\n- {name: plain, subject: builds}\n")
	want := []Input{
		{Name: "ci", Subject: "ci.deploys.>", Stream: "CI", Format: JSONFormat,
			Map:      map[string]string{"service": ".app", "version": ".tag", "environment": "subject.3", "commit": ".git.sha", "id": "header:X-Build", "author": ".authors.0"},
			Defaults: map[string]string{"ref": "main"}, Only: map[string][]string{".status": {"success"}, ".kind": {"deploy", "hotfix"}}},
		{Name: "bus", Subject: "cdevents.service.*", Format: CDEventsFormat, Map: map[string]string{}, Defaults: map[string]string{}, Only: map[string][]string{}},
		{Name: "plain", Subject: "builds", Format: AutoFormat, Map: map[string]string{}, Defaults: map[string]string{}, Only: map[string][]string{}},
	}
	if diff := cmp.Diff(want, got); diff != "" || wrong != "" {
		t.Errorf("%s\nwant -, got +:\n%s", wrong, diff)
	}
}

func TestWhatIsWrongWithAnInputIsSaidWithItsPlaceAndItsCure(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"no list":            {"name: ci", "needs a list"},
		"no name":            {"- {subject: a.b}", "an input needs a name"},
		"no subject":         {"- {name: ci}", "an input needs a subject"},
		"a name with dots":   {"- {name: a.b, subject: a.b}", "serin.yaml:1:10"},
		"two of one name":    {"- {name: ci, subject: a.b}\n- {name: ci, subject: a.c}", "serin.yaml:2:10"},
		"unknown key":        {"- {name: ci, subject: a.b, mapping: {}}", `unknown key "mapping"`},
		"no subject at all":  {"- {name: ci, subject: 'a b'}", "is no subject"},
		"hole in a subject":  {"- {name: ci, subject: a..b}", "is no subject"},
		"> in the middle":    {"- {name: ci, subject: a.>.b}", "is no subject"},
		"the server's own":   {"- {name: ci, subject: $KV.x.>}", "the server's own"},
		"an inbox":           {"- {name: ci, subject: _INBOX.x}", "the server's own"},
		"releases":           {"- {name: ci, subject: serin.release.*.*}", "would come in again"},
		"everything":         {"- {name: ci, subject: '>'}", "would come in again"},
		"everything of two":  {"- {name: ci, subject: '*.release.>'}", "would come in again"},
		"a stream's pattern": {"- {name: ci, subject: a.b, stream: 'C.*'}", "is no name of a stream"},
		"another format":     {"- {name: ci, subject: a.b, format: xml}", "not one of auto, json, cdevents"},
		"an unknown field":   {"- {name: ci, subject: a.b, map: {servcie: .app}}", "service"},
		"no path":            {"- {name: ci, subject: a.b, map: {service: app}}", "a constant goes into defaults"},
		"a token too far":    {"- {name: ci, subject: a.b, map: {service: subject.3}}", "has no token 3"},
		"token 0":            {"- {name: ci, subject: a.b, map: {service: subject.0}}", "is no path"},
		"an id for all":      {"- {name: ci, subject: a.b, defaults: {id: x}}", "one id for all"},
		"a weakening field":  {"- {name: ci, subject: a.b, defaults: {policy: lax}}", `unknown key "policy"`},
		"only without path":  {"- {name: ci, subject: a.b, only: {status: ok}}", "is no path"},
		"no version":         {"- {name: ci, subject: a.b, format: json, map: {service: .app, environment: .env}}", "says of no version"},
		"no environment":     {"- {name: ci, subject: a.b, format: json, map: {service: .app, version: .tag}}", "says of no environment"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, wrong := parseInputs(t, tt.text); !strings.Contains(wrong, tt.want) || !strings.Contains(wrong, "serin.yaml:") {
				t.Errorf("%q says nothing of %q", wrong, tt.want)
			}
		})
	}
}

func TestAnInputMakesReleasesOfMessages(t *testing.T) {
	inputs, wrong := parseInputs(t, ciInput)
	if wrong != "" {
		t.Fatal(wrong)
	}
	ci := inputs[0]
	auto := Input{Name: "auto", Subject: "ci.>", Format: AutoFormat}
	bus := Input{Name: "bus", Subject: "ci.>", Format: CDEventsFormat, Map: map[string]string{"service": "subject.3"}, Defaults: map[string]string{"environment": "staging", "author": "ana"}}
	want := deployments.Release{Slot: checkout, ID: "7", Version: "1.4.2", Commit: "abc", Ref: "main", Author: "Ana"}
	const body = `{"app":"checkout","tag":"1.4.2","status":"success","kind":"hotfix","git":{"sha":"abc"},"authors":["Ana","Bo"]}`
	deployed := cdeventOf("service.deployed.0.2.0", "pkg:oci/checkout@1.4.2", "")
	for name, tt := range map[string]struct {
		in      Input
		subject string
		header  nats.Header
		body    string
		want    deployments.Release
	}{
		"mapped": {ci, "ci.deploys.production", ce("x-build", "7"), body, want},
		"a number and a flag as text": {Input{Name: "n", Format: JSONFormat, Map: map[string]string{"service": ".app", "environment": ".env", "version": ".build", "id": ".id"}}, "x", nil,
			`{"app":"checkout","env":"production","build":1712345678901234567,"id":true}`, deployments.Release{Slot: checkout, ID: "true", Version: "1712345678901234567"}},
		"without an id": {ci, "ci.deploys.production", nil, body, deployments.Release{Slot: checkout, ID: "own", Version: "1.4.2", Commit: "abc", Ref: "main", Author: "Ana"}},
		"the id of its publisher": {ci, "ci.deploys.production", ce(nats.MsgIdHdr, "build 7"), body,
			deployments.Release{Slot: checkout, ID: "build 7", Version: "1.4.2", Commit: "abc", Ref: "main", Author: "Ana"}},
		"a release's own names": {auto, "ci.x", nil, `{"service":"checkout","environment":"production","version":"1.4.2","id":"7","policy":"lax"}`,
			deployments.Release{Slot: checkout, ID: "7", Version: "1.4.2"}},
		"a CloudEvent": {auto, "ci.x", nil, `{"specversion":"1.0","id":"7","source":"x","type":"y","data":{"service":"checkout","environment":"production","version":"1.4.2"}}`,
			deployments.Release{Slot: checkout, ID: "7", Version: "1.4.2"}},
		"a CDEvent": {auto, "ci.x", nil, deployed, deployments.Release{Slot: checkout, ID: "271069a8", Version: "1.4.2", Artifact: "pkg:oci/checkout@1.4.2"}},
		"a CDEvent, over it what is mapped": {bus, "ci.x.cart", nil, deployed,
			deployments.Release{Slot: deployments.Slot{Environment: "production", Service: "cart"}, ID: "271069a8", Version: "1.4.2", Artifact: "pkg:oci/checkout@1.4.2", Author: "ana"}},
		"its trace": {auto, "ci.x", ce("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), `{"service":"checkout","environment":"production","version":"1.4.2","id":"7"}`,
			deployments.Release{Slot: checkout, ID: "7", Version: "1.4.2", Trace: deployments.NewTrace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "")}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tt.in.release(message{tt.subject, tt.header, []byte(tt.body), "own"})
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("%v\nwant -, got +:\n%s", err, diff)
			}
		})
	}
}

func TestMessagesOfAnInputThatAreNoReleasesAreIgnoredOrRefused(t *testing.T) {
	inputs, wrong := parseInputs(t, ciInput)
	if wrong != "" {
		t.Fatal(wrong)
	}
	ci := inputs[0]
	cdevents := Input{Name: "bus", Subject: "ci.>", Format: CDEventsFormat}
	for name, tt := range map[string]struct {
		in     Input
		body   string
		reason string // "": ignored
	}{
		"another status":      {ci, `{"app":"checkout","tag":"1","status":"failed","kind":"deploy"}`, ""},
		"no status":           {ci, `{"app":"checkout","tag":"1","kind":"deploy"}`, ""},
		"a status of another": {ci, `{"app":"checkout","tag":"1","status":{"of":"build"},"kind":"deploy"}`, ""},
		"another CDEvent":     {cdevents, cdeventOf("build.finished.0.2.0", "", ""), ""},
		"no JSON":             {ci, `hello`, Malformed},
		"no object":           {ci, `["a"]`, Malformed},
		"no version":          {ci, `{"app":"checkout","status":"success","kind":"deploy"}`, Invalid},
		"no service":          {ci, `{"tag":"1","status":"success","kind":"deploy"}`, Invalid},
		"no name":             {ci, `{"app":"a.b","tag":"1","status":"success","kind":"deploy"}`, Invalid},
		"an object":           {ci, `{"app":"checkout","tag":{"v":1},"status":"success","kind":"deploy"}`, Invalid},
		"hostile":             {ci, `{"app":"checkout","tag":"1\u001b[2J","status":"success","kind":"deploy"}`, Invalid},
		"no CDEvent":          {cdevents, `{"version":"1"}`, Malformed},
		"a broken CloudEvent": {Input{Format: AutoFormat}, `{"specversion":"1.0","source":"x"}`, Malformed},
		"1 MB":                {ci, strings.Repeat("x", maxInput+1), TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := tt.in.release(message{subject: "ci.deploys.production", data: []byte(tt.body), own: "own"})
			if got := deployments.Refusal(err); got != tt.reason || err == nil || tt.reason == "" && err != errNotMeant { //nolint:errorlint // it is not wrapped
				t.Errorf("%+v, refused for %q (%v), want %q", r, got, err, tt.reason)
			}
		})
	}
}

func TestSubjectsCoverAndCollide(t *testing.T) {
	for _, tt := range []struct {
		a, b             string
		covers, collides bool
	}{
		{"a.b", "a.b", true, true}, {"a.*", "a.b", true, true}, {"a.b", "a.*", false, true}, {"a.>", "a.b.c", true, true}, {"a.>", "a", false, false},
		{"a.*", "a.>", false, true}, {">", "a.>", true, true}, {"a.*.c", "a.b.*", false, true}, {"a.b", "a.c", false, false}, {"a.b", "a.b.c", false, false},
	} {
		if got := covers(tt.a, tt.b); got != tt.covers {
			t.Errorf("%s covers %s: %t", tt.a, tt.b, got)
		}
		if got := collide(tt.a, tt.b); got != tt.collides || collide(tt.b, tt.a) != got {
			t.Errorf("%s collides with %s: %t", tt.a, tt.b, got)
		}
	}
}
