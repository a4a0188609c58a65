package jetstream

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

const subject = "serin.release.production.checkout"

func ce(pairs ...string) nats.Header {
	h := nats.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = append(h[pairs[i]], pairs[i+1])
	}
	return h
}

func TestReleasesAreReadHoweverTheyAreWrapped(t *testing.T) {
	v := func(id string) deployments.Release {
		return deployments.Release{Slot: checkout, ID: id, Version: "1.4.2"}
	}
	envelope := `{"specversion":"1.0","id":"7","source":"ci","type":"x","data":{"version":"1.4.2"}}`
	for name, tt := range map[string]struct {
		header nats.Header
		body   string
		want   deployments.Release
	}{
		"structured by content type":    {ce("Content-Type", "application/cloudevents+json; charset=utf-8"), envelope, v("7")},
		"structured by shouted type":    {ce("CONTENT-TYPE", "Application/CloudEvents+JSON"), envelope, v("7")},
		"structured without any header": {nil, envelope, v("7")},
		"structured, base64 data":       {nil, `{"specversion":"1.0","id":"7","source":"ci","type":"x","data_base64":"eyJ2ZXJzaW9uIjoiMS40LjIifQ=="}`, v("7")},
		"binary":                        {ce("ce-specversion", "1.0", "ce-id", "7", "ce-source", "ci", "ce-type", "x"), `{"version":"1.4.2"}`, v("7")},
		"binary, other case":            {ce("Ce-Specversion", "1.0", "CE-ID", "7", "Ce-Source", "ci", "cE-tYpE", "x"), `{"version":"1.4.2"}`, v("7")},
		"binary, percent-encoded id":    {ce("ce-specversion", "1.0", "ce-id", "a%20b%25%E2%82%AC", "ce-source", "ci", "ce-type", "x"), `{"version":"1.4.2"}`, v("a b%€")},
		"envelope's id wins":            {ce("ce-specversion", "1.0", "ce-id", "7", "ce-source", "ci", "ce-type", "x", "Nats-Msg-Id", "8"), `{"version":"1.4.2","id":"9"}`, v("7")},
		"content type wins":             {ce("content-type", "application/cloudevents+json", "ce-specversion", "1.0", "ce-id", "8"), envelope, v("7")},
		"plain, id from the header":     {ce("Nats-Msg-Id", "8"), `{"version":"1.4.2","id":"9"}`, v("8")},
		"plain, id from the body":       {nil, `{"service":"checkout","environment":"production","version":"1.4.2","id":"9"}`, v("9")},
		"plain, smallest":               {nil, `{"version":"1.4.2"}`, v(derivedID(v(""), ""))},
		"null is nothing":               {nil, `{"version":"1.4.2","id":"9","author":null}`, v("9")},
		"every field": {nil, `{"version":"1.4.2","id":"9","artifact":"pkg:oci/x@sha256:1","commit":"abc","ref":"refs/heads/main","author":"Ana Šimić",
			"run_url":"https://ci/1","change_url":"http://git/2","team":{"b":1,"a":[2]},"labels":["x"]}`,
			deployments.Release{Slot: checkout, ID: "9", Version: "1.4.2", Artifact: "pkg:oci/x@sha256:1", Commit: "abc", Ref: "refs/heads/main", Author: "Ana Šimić",
				RunURL: "https://ci/1", Change: "http://git/2", Extra: json.RawMessage(`{"labels":["x"],"team":{"b":1,"a":[2]}}`)}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := DecodeRelease(subject, tt.header, []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

func TestReleasesAreRefusedWithTheReason(t *testing.T) {
	binary := func(pairs ...string) nats.Header {
		return ce(append([]string{"ce-specversion", "1.0", "ce-source", "ci", "ce-type", "x"}, pairs...)...)
	}
	for name, tt := range map[string]struct {
		subject string
		header  nats.Header
		body    string
		reason  string
	}{
		"no name":               {"serin.release.production.check out", nil, `{"version":"1"}`, BadName},
		"name too long":         {"serin.release.production." + strings.Repeat("x", 64), nil, `{"version":"1"}`, BadName},
		"empty":                 {subject, nil, ``, Malformed},
		"no JSON":               {subject, nil, `version: 1`, Malformed},
		"null":                  {subject, nil, `null`, Malformed},
		"a list":                {subject, nil, `[{"version":"1"}]`, Malformed},
		"no version":            {subject, nil, `{"service":"checkout"}`, Malformed},
		"bad UTF-8":             {subject, nil, "{\"version\":\"\xff\"}", Malformed},
		"batch":                 {subject, ce("content-type", "application/cloudevents-batch+json"), `[]`, Malformed},
		"structured, no id":     {subject, nil, `{"specversion":"1.0","source":"ci","type":"x","data":{"version":"1"}}`, Malformed},
		"structured, no data":   {subject, nil, `{"specversion":"1.0","id":"7","source":"ci","type":"x"}`, Malformed},
		"structured, later":     {subject, nil, `{"specversion":"2.0","id":"7","source":"ci","type":"x","data":{"version":"1"}}`, Malformed},
		"structured, bad data":  {subject, nil, `{"specversion":"1.0","id":"7","source":"ci","type":"x","data_base64":"!"}`, Malformed},
		"binary, no id":         {subject, binary(), `{"version":"1"}`, Malformed},
		"binary, two ids":       {subject, binary("ce-id", "7", "CE-id", "8"), `{"version":"1"}`, Malformed},
		"binary, bad percent":   {subject, binary("ce-id", "7%zz"), `{"version":"1"}`, Malformed},
		"binary, encoded bytes": {subject, binary("ce-id", "%FF"), `{"version":"1"}`, Malformed},
		"binary, control id":    {subject, binary("ce-id", "a%0Ab"), `{"version":"1"}`, Invalid},
		"binary, no version":    {subject, binary("ce-id", "7"), `{}`, Invalid},
		"empty version":         {subject, nil, `{"version":""}`, Invalid},
		"number":                {subject, nil, `{"version":1.4}`, Invalid},
		"long version":          {subject, nil, `{"version":"` + strings.Repeat("1", 129) + `"}`, Invalid},
		"control character":     {subject, nil, `{"version":"1\u001b[2J"}`, Invalid},
		"turned writing":        {subject, nil, `{"version":"1","author":"\u202etest"}`, Invalid},
		"script link":           {subject, nil, `{"version":"1","run_url":"javascript:alert(1)"}`, Invalid},
		"other service":         {subject, nil, `{"version":"1","service":"cart"}`, Mismatch},
		"other environment":     {subject, nil, `{"version":"1","environment":"staging"}`, Mismatch},
		"start_step":            {subject, nil, `{"version":"1","start_step":3}`, NotAllowed},
		"policy":                {subject, nil, `{"version":"1","policy":"lax"}`, NotAllowed},
		"flag":                  {subject, nil, `{"version":"1","flag":"x"}`, NotAllowed},
		"stable_version":        {subject, nil, `{"version":"1","stable_version":"0"}`, NotAllowed},
		"vars":                  {subject, nil, `{"version":"1","vars":{}}`, NotAllowed},
		"large":                 {subject, nil, `{"version":"1","x":"` + strings.Repeat("x", maxRelease) + `"}`, TooLarge},
		"large extra":           {subject, nil, `{"version":"1","x":"` + strings.Repeat("x", maxExtra) + `"}`, TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeRelease(tt.subject, tt.header, []byte(tt.body))
			if got := deployments.Refusal(err); got != tt.reason {
				t.Errorf("refused for %q (%v), want %q", got, err, tt.reason)
			}
		})
	}
}

func TestARefusalSaysInWordsWhatStandsThere(t *testing.T) {
	structured := nats.Header{"Content-Type": {"application/cloudevents+json"}}
	event := func(data string) string { return `{"specversion":"1.0","id":"7","source":"ci","type":"x"` + data + `}` }
	for name, tt := range map[string]struct {
		header     nats.Header
		body, says string
	}{
		"nothing":          {nil, " ", "it is empty"},
		"a mark":           {nil, "\uFEFF" + `{"version":"1"}`, "byte order mark"},
		"a list":           {nil, `[{"version":"1"}]`, "it is an array"},
		"a batch":          {nats.Header{"Content-Type": {"Application/CloudEvents-Batch+JSON"}}, `[]`, "send each event as a message of its own"},
		"data as text":     {structured, event(`,"data":"{\"version\":\"1\"}"`), "it is a string: send the object itself"},
		"no data":          {structured, event(""), "it is empty"},
		"a number":         {nil, `17`, "it is a number"},
		"a numbered":       {nil, `{"version":1.10}`, "version must be a string: write it in quotes"},
		"a blank version":  {nil, `{"version":" "}`, "version is missing"},
		"a strange member": {nil, cdeventOf("service.deployed.0.2.0", "", `,"subject":[1]`), "of the wrong JSON type (array) is subject"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeRelease(subject, tt.header, []byte(tt.body))
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "json:") {
				t.Errorf("%v, want %q", err, tt.says)
			}
		})
	}
	_, err := Input{Format: AutoFormat}.release(message{subject: "ci.x", data: []byte(`{"service":"checkout","version":"1"}`)})
	if err == nil || !strings.Contains(err.Error(), "environment is missing: say in `map`") {
		t.Errorf("an input's message without environment: %v", err)
	}
}

func TestADerivedIDNamesTheRelease(t *testing.T) {
	id := func(body string) string {
		r, err := DecodeRelease(subject, nil, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	one := id(`{"version":"1","commit":"a"}`)
	if again := id(`{"commit":"a","version":"1","author":"somebody"}`); again != one {
		t.Errorf("the same release has the ids %s and %s", one, again)
	}
	for _, other := range []string{`{"version":"2","commit":"a"}`, `{"version":"1","commit":"b"}`, `{"version":"1","commit":"a","attempt":2}`} {
		if id(other) == one {
			t.Errorf("%s has the id of another release", other)
		}
	}
}

func testEvent() deployments.Event {
	to := "1.4.1"
	limit := analysis.Number(0.05)
	return deployments.Event{
		ID: "checkout-8c1f/17/rollback.requested", Name: "rollback.requested", Slot: checkout, Severity: deployments.Page,
		Time: time.Date(2026, 11, 20, 10, 0, 0, 123, time.UTC), Subject: "rollback.production.checkout",
		Trace: deployments.NewTrace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=1, b=2"),
		Data: deployments.EventData{
			Service: "checkout", Environment: "production", Version: "1.4.2", Stable: "1.4.1", Release: "run 7 “x”", Rollout: "checkout-8c1f",
			Rev: 17, Phase: steps.Reverting, Step: 2, Percent: 25, To: deployments.BackTo(to), Reason: "8.1 % > 5 %",
			Evidence: []analysis.Judgement{{Rule: "errors", Verdict: analysis.Unhealthy, Reading: analysis.Reading{Limit: &limit}}},
		},
	}
}

func TestEventsAreReadAsTheyWereWritten(t *testing.T) {
	want := testEvent()
	msg, err := EncodeEvent(Names{Prefix: "acme.deploy"}, want)
	if err != nil {
		t.Fatal(err)
	}
	header := map[string]string{}
	for name := range msg.Header {
		header[name] = msg.Header[name][0]
	}
	if diff := cmp.Diff(map[string]string{
		"ce-specversion": "1.0", "ce-id": want.ID, "ce-type": "io.serin.rollback.requested.v1", "ce-source": "serin/production/checkout",
		"ce-time": "2026-11-20T10:00:00.000000123Z", "ce-datacontenttype": "application/json", "ce-severity": "page",
		"ce-releaseid": "run%207%20%E2%80%9Cx%E2%80%9D", "ce-sequence": "17", "ce-subject": "checkout-8c1f",
		"ce-traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "ce-tracestate": "a=1,%20b=2",
	}, header); diff != "" {
		t.Errorf("headers: want -, got +:\n%s", diff)
	}
	if msg.Subject != "acme.deploy.rollback.production.checkout" {
		t.Errorf("the subject is %s", msg.Subject)
	}
	got, err := DecodeEvent(Names{Prefix: "acme.deploy"}, msg.Subject, msg.Header, msg.Data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestMessagesThatAreNoEventsAreRefused(t *testing.T) {
	good, err := EncodeEvent(Names{}, testEvent())
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*nats.Msg){
		"foreign type":    func(m *nats.Msg) { m.Header["ce-type"] = []string{"dev.cdevents.x"} },
		"no id":           func(m *nats.Msg) { delete(m.Header, "ce-id") },
		"no time":         func(m *nats.Msg) { delete(m.Header, "ce-time") },
		"foreign subject": func(m *nats.Msg) { m.Subject = "acme.event.x" },
		"no JSON":         func(m *nats.Msg) { m.Data = []byte("hello") },
		"bad percent":     func(m *nats.Msg) { m.Header["ce-type"] = []string{"%"} },
	} {
		t.Run(name, func(t *testing.T) {
			m := &nats.Msg{Subject: good.Subject, Data: good.Data, Header: maps.Clone(good.Header)}
			change(m)
			if _, err := DecodeEvent(Names{}, m.Subject, m.Header, m.Data); deployments.Refusal(err) != Malformed {
				t.Errorf("got %v, want a refusal as malformed", err)
			}
		})
	}
}

// FuzzDecodeRelease: whatever comes in, it is refused or a release that is safe to show, and survives being published.
func FuzzDecodeRelease(f *testing.F) {
	f.Add("production.checkout", "", "", "", "", []byte(`{"version":"1.4.2"}`))
	f.Add("production.checkout", "application/cloudevents+json", "", "", "", []byte(`{"specversion":"1.0","id":"7","source":"ci","type":"x","data":{"version":"1"}}`))
	f.Add("a.b", "", "1.0", "a%20b", "8", []byte(`{"version":"1","x":{"y":[1,null]},"run_url":"https://ci/1"}`))
	f.Add("a.b", "application/json", "", "", "8", []byte(`{"version":"1","policy":null}`))
	f.Add("production.checkout", "", "", "", "", []byte(cdeventOf("service.deployed.0.2.0", "pkg:oci/checkout@"+digest+"?tag=1", `,"customData":{"commit":"a"}`)))
	f.Add("", "", "2.0", "%", "", []byte("\xff"))
	f.Fuzz(func(t *testing.T, slot, kind, version, id, msgID string, body []byte) {
		h := nats.Header{"Content-Type": {kind}, "Ce-Specversion": {version}, "ce-id": {id}, "ce-source": {"ci"}, "ce-type": {"x"}, nats.MsgIdHdr: {msgID}}
		r, err := DecodeRelease("serin.release."+slot, h, body)
		if err != nil {
			var refused *deployments.RefusedError
			if !errors.As(err, &refused) || !reasonForm.MatchString(refused.Reason) {
				t.Fatalf("%v is no refusal", err)
			}
			return
		}
		if err := r.Validate(); err != nil || r.ID == "" || r.Version == "" {
			t.Fatalf("%+v was accepted: %v", r, err)
		}
		for _, s := range []string{r.ID, r.Version, r.Artifact, r.Commit, r.Ref, r.Author, r.RunURL, r.Change} {
			if strings.ContainsFunc(s, unicode.IsControl) || len(s) > 1024 {
				t.Fatalf("%q was accepted", s)
			}
		}
		msg, err := encodeRelease(Names{}, r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeRelease(msg.Subject, msg.Header, msg.Data)
		if err != nil && deployments.Refusal(err) != TooLarge {
			t.Fatalf("published again: %v", err)
		}
		again.Extra, r.Extra = nil, nil // the order of its members is not kept
		if diff := cmp.Diff(r, again); err == nil && diff != "" {
			t.Fatalf("want -, got +:\n%s", diff)
		}
	})
}
