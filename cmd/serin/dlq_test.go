package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/steps"
)

// publish sends a message as any program may.
func (o *ordered) publish(subject, id, body string) {
	o.t.Helper()
	m := &nats.Msg{Subject: subject, Header: nats.Header{"X-Pipeline": {"a%20b"}}, Data: []byte(body)}
	if id != "" {
		m.Header.Set(nats.MsgIdHdr, id)
	}
	if _, err := o.d.js.PublishMsg(o.t.Context(), m); err != nil {
		o.t.Fatal(err)
	}
}

// letters waits until there are so many dead letters.
func (o *ordered) letters(n int) []jetstream.Letter {
	o.t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(20 * time.Second); ; <-again.C {
		var all []jetstream.Letter
		code, said := o.serin("dlq", "list", "-o", "json")
		if err := json.Unmarshal([]byte(said), &all); code != exitOK || err != nil {
			o.t.Fatalf("%d: %v: %s", code, err, said)
		}
		if len(all) == n {
			return all
		}
		if time.Now().After(deadline) {
			o.t.Fatalf("%d dead letters, not %d: %s", len(all), n, said)
		}
	}
}

// says runs a command and holds what it says against what it should and must not.
func (o *ordered) says(code int, want, never []string, args ...string) {
	o.t.Helper()
	got, said := o.serin(args...)
	if got != code {
		o.t.Errorf("serin %s: %d, not %d: %s", strings.Join(args, " "), got, code, said)
	}
	for _, w := range want {
		if !strings.Contains(said, w) {
			o.t.Errorf("serin %s: no %q in %s", strings.Join(args, " "), w, said)
		}
	}
	for _, n := range never {
		if strings.Contains(said, n) {
			o.t.Errorf("serin %s: %q in %q", strings.Join(args, " "), n, said)
		}
	}
}

func letterNumber(l jetstream.Letter) string { return strconv.FormatUint(l.Sequence, 10) }

func TestDeadLettersAreListedShownAndRetriedOnceCured(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) }) // after the daemon's own cleanup
	o := newOrdered(t)
	o.says(exitOK, []string{"no dead letters since"}, nil, "dlq", "list")
	o.publish("serin.release.production.checkout", "build-7", `{"version": "1.1.0"}`) // its flag is missing
	first := o.letters(1)[0]
	o.publish("serin.release.production.checkout", "", "{\"vers\x1b[31mion\nsecond line")
	o.letters(2)
	o.publish("serin.release.production.checkout", "", `{"version": "1.1.1", "x": "`+strings.Repeat("x", 70<<10)+`"}`)
	all := o.letters(3)
	seq := func(i int) string { return letterNumber(all[i]) }

	if first.Reason != "not_ready" || first.ID != "build-7" || first.Size != 20 || first.Body != nil {
		t.Errorf("the first letter: %+v", first)
	}
	o.says(exitOK, []string{"SEQ", "not_ready", "malformed", "too_large", "serin.release.production.checkout"}, nil, "dlq", "list")
	o.says(exitOK, []string{"malformed"}, []string{"not_ready", "too_large"}, "dlq", "list", "--reason", "malformed")
	o.says(exitUsage, []string{"--reason"}, nil, "dlq", "list", "--reason", "a.b")
	o.says(exitUsage, []string{"--since"}, nil, "dlq", "list", "--since", "yesterday")

	o.says(exitOK, []string{"why      the body is no JSON object", "header   X-Pipeline: a b\n", "    second line\n", "26 bytes\n"}, []string{"\x1b"}, "dlq", "show", seq(1))
	o.says(exitOK, []string{"of which these are the first 4096"}, []string{strings.Repeat("x", 4096)}, "dlq", "show", seq(2))
	o.says(exitOK, []string{`"id": "build-7"`, `"body": "`}, nil, "dlq", "show", seq(0), "-o", "json")
	o.says(exitNo, []string{"there is no dead letter 999"}, nil, "dlq", "show", "999")
	o.says(exitUsage, []string{"is no number"}, nil, "dlq", "show", "first")

	o.says(exitNo, []string{"refused again", "only the beginning of a body of"}, nil, "dlq", "retry", seq(1), seq(2))
	o.says(exitNotAccepted, []string{"refused", "checkout-version"}, nil, "dlq", "retry", seq(0))
	again := o.letters(4)[3]
	o.says(exitNo, []string{"retried within the hour"}, nil, "dlq", "retry", seq(0))

	o.do("flags", "set", "checkout-version", "1.0.0")
	o.says(exitOK, []string{"published 1.1.0 of production/checkout again: accepted"}, nil, "dlq", "retry", letterNumber(again))
	e := o.until("checkout", in(steps.Baking))
	if e.State.Release.ID != "build-7" {
		t.Errorf("the release is now %s", e.State.Release.ID)
	}
	for i, l := range o.letters(4) {
		if retried := i == 0 || i == 3; l.Retried.IsZero() == retried {
			t.Errorf("letter %d: retried %v", i, l.Retried)
		}
	}
	o.says(exitNo, []string{"1.1.0, published later, has been taken in since"}, nil, "dlq", "retry", seq(0))
}
