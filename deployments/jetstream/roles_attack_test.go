package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/serin-cd/serin/deployments"
)

// targets are where a client would like the server's reply to land.
var targets = []string{
	"$KV.serin_flags.production.checkout", "$KV.serin_policies.slot.production.checkout", "$KV.serin_notify.x",
	"serin.journal.0.production.checkout", "serin.summary.production.checkout.r", "serin.lease.0", "serin.release.production.cart",
	"serin.event.production.checkout.rollout.promoted", "serin.rollback.production.checkout", "serin.dlq.invalid", "serin.worker.w1", "serin.offers.x",
	"serin.cmd.production.checkout.approve", "serin.signed.cmd.production.checkout.approve",
	"serin.ack.production.checkout", "serin.signed.ack.production.checkout", "$JS.API.STREAM.PURGE.KV_serin_flags",
}

// TestRepliesOfTheServerCannotBeAimed tries what permissions alone do not forbid: the server sends its replies to any
// subject that a request names. From an account of one's own they never reach Serin's.
func TestRepliesOfTheServerCannotBeAimed(t *testing.T) {
	g := guard(t, Names{}, Scope{})
	heard := g.served(t)
	for _, subject := range []string{"serin.event.production.checkout.step.started", "$KV.serin_flags.production.checkout", "serin.summary.production.checkout.r"} {
		if _, err := g.admin.js.Publish(t.Context(), subject, []byte(`{"stored":true}`)); err != nil {
			t.Fatal(err)
		}
	}
	spy, err := g.admin.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	before := g.state(t)
	sent := 0
	for _, role := range []string{"ci", "operator", "viewer", "deployer", "application"} {
		c := g.as(t, role)
		for _, i := range g.roles[role].Imports {
			for _, target := range targets {
				if i.Kind == "service" && !g.roles[role].may(target) {
					sent += aim(t, c, i, target)
				}
			}
		}
	}
	if err := g.admin.Flush(); err != nil {
		t.Fatal(err)
	}
	if sent < 100 {
		t.Errorf("only %d requests were sent", sent)
	}
	for msg, err := spy.NextMsg(time.Second); err == nil; msg, err = spy.NextMsg(100 * time.Millisecond) {
		if slices.Contains(targets, msg.Subject) && !strings.HasPrefix(string(msg.Data), `{"aimed"`) {
			t.Errorf("%s got %s", msg.Subject, msg.Data)
		}
	}
	if diff := cmp.Diff(before, g.state(t)); diff != "" {
		t.Errorf("what is stored has changed, was -, is +:\n%s", diff)
	}
	for len(heard) > 0 {
		if got := <-heard; strings.HasPrefix(got, "cmd") && !strings.Contains(got, "by operator") && !strings.Contains(got, "by ci") {
			t.Errorf("an order was obeyed: %s", got)
		}
	}
}

// may reports whether a role may publish to a subject anyway.
func (r Role) may(subject string) bool {
	return slices.ContainsFunc(r.Publish, func(pattern string) bool { return server.SubjectsCollide(pattern, subject) })
}

// aim sends a request whose reply would go to a target, and a trace of it too.
func aim(t *testing.T, c *client, i Import, target string) int {
	t.Helper()
	to := i.To
	if to == "" {
		to = i.Subject
	}
	if strings.Contains(to, "release") || strings.Contains(to, "dlq.retried") || strings.Contains(to, ".audit.") || strings.Contains(to, "$KV.serin_flags.>") && !strings.Contains(to, "DIRECT") && !strings.Contains(to, "CONSUMER") {
		return 0 // what it stores itself is its right; its reply goes the same way
	}
	to = strings.NewReplacer(".>", ".production.checkout", "slots.*", "slots.production", "cmd.*.*.*", "cmd.production.checkout.pause", "*.*", "production.checkout",
		"CONSUMER.CREATE.KV_serin_flags.*", "CONSUMER.CREATE.KV_serin_flags.x", ".*", ".x").Replace(to)
	for _, h := range []nats.Header{nil, {"Nats-Trace-Dest": {target}}, {headerSender: {`{"user":"root"}`}}} {
		if err := c.PublishMsg(&nats.Msg{Subject: to, Reply: target, Header: h, Data: []byte(`{"aimed":true}`)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	return 3
}

// state is the last sequence of each stream and how many messages it has.
func (g guarded) state(t *testing.T) map[string][2]uint64 {
	t.Helper()
	all := map[string][2]uint64{}
	for _, p := range parts(Names{}) {
		s, err := g.admin.js.Stream(t.Context(), p.stream())
		if err != nil {
			t.Fatal(err)
		}
		state := s.CachedInfo().State
		all[p.stream()] = [2]uint64{state.LastSeq, state.Msgs}
	}
	return all
}

// TestInsideOneAccountRepliesCanBeAimed is why the roles have accounts of their own.
func TestInsideOneAccountRepliesCanBeAimed(t *testing.T) {
	opts := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		Users: []*server.User{{Username: setupUser, Password: setupUser}, {Username: "reader", Password: "reader", Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: []string{"$JS.API.STREAM.INFO.SERIN_EVENTS"}},
			Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.reader.>"}}}}}}
	g := guarded{url: run(t, opts).Addr().String()}
	g.setUp(t, Layout{Partitions: 2})
	const flag = "$KV.serin_flags.production.checkout"
	spy, err := g.admin.SubscribeSync(flag)
	if err != nil {
		t.Fatal(err)
	}
	reader := g.connect(t, "reader")
	if err := errors.Join(g.admin.Flush(), reader.PublishRequest("$JS.API.STREAM.INFO.SERIN_EVENTS", flag, nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := spy.NextMsg(patience); err != nil {
		t.Errorf("the server does not overwrite a flag any more: %v", err)
	}
}

// TestAnApplicationsConsumersWriteNothing tries the one body that no permission sees and no account stops: a consumer
// pushes where its maker says. It does only where somebody subscribes to just that subject: no stream does.
func TestAnApplicationsConsumersWriteNothing(t *testing.T) {
	g := guard(t, Names{}, Scope{})
	heard := g.served(t)
	if _, err := g.admin.js.Publish(t.Context(), "$KV.serin_flags.production.checkout", []byte(`{"state":"ENABLED"}`)); err != nil {
		t.Fatal(err)
	}
	const ack = "serin.ack.production.checkout"
	exactly, err := g.admin.SubscribeSync(ack)
	if err != nil || g.admin.Flush() != nil {
		t.Fatal(err)
	}
	before, app, made := g.state(t), g.as(t, "application"), 0
	for _, target := range slices.Concat([]string{"$JS.API.STREAM.DELETE.SERIN_EVENTS", "$JS.API.STREAM.PURGE.KV_serin_flags"}, targets) {
		for _, empty := range []bool{true, false} {
			made++
			err := pushTo(t, app, "x"+strconv.Itoa(made), target, empty)
			if cycle := strings.HasPrefix(target, "$KV.serin_flags."); cycle != (err != nil) {
				t.Errorf("a consumer for %s: %v", target, err)
			}
		}
	}
	// They all had their turn when the last one, made for a subject that is subscribed to, has delivered.
	if err := pushTo(t, app, "last", ack, false); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := exactly.NextMsg(patience); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(before, g.state(t)); diff != "" {
		t.Errorf("what is stored has changed, was -, is +:\n%s", diff)
	}
	for len(heard) > 0 {
		if got := <-heard; !strings.HasPrefix(got, "ack") || !strings.HasSuffix(got, "(unverified)") {
			t.Errorf("heard %s", got)
		}
	}
}

// pushTo makes a consumer of flags that pushes to a subject.
func pushTo(t *testing.T, app *client, name, deliver string, empty bool) error {
	t.Helper()
	body, err := json.Marshal(map[string]any{"stream_name": "KV_serin_flags", "config": map[string]any{"name": name, "deliver_subject": deliver, "headers_only": empty,
		"deliver_policy": "all", "ack_policy": "none", "filter_subject": "$KV.serin_flags.>", "inactive_threshold": int64(time.Second), "mem_storage": true}})
	if err != nil {
		t.Fatal(err)
	}
	msg, err := app.Request("serin.js.CONSUMER.CREATE.KV_serin_flags."+name+".$KV.serin_flags.>", body, patience)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(msg.Data), `"error"`) {
		return errors.New(string(msg.Data))
	}
	return nil
}

func TestNobodySignsForAnother(t *testing.T) {
	g := guard(t, Names{}, Scope{})
	heard := g.served(t)
	forged := nats.Header{headerSender: {`{"acc":"SERIN","user":"boss"}`}}
	for _, c := range []struct {
		name, subject string
		by            *client
		header        nats.Header
		want          string
	}{
		{"its own name", "serin.cmd.production.checkout.approve", g.as(t, "operator"), nil, `operator (says "boss")`},
		{"a forged header", "serin.cmd.production.checkout.approve", g.as(t, "operator"), forged, `operator (says "boss")`},
		{"a forged header in small letters", "serin.cmd.production.checkout.approve", g.as(t, "operator"),
			nats.Header{"nats-request-info": {`{"user":"boss"}`}}, "boss (unverified)"},
		{"two forged headers", "serin.cmd.production.checkout.abort", g.as(t, "ci"), nats.Header{headerSender: {`{"user":"boss"}`, `{"user":"chief"}`}}, "ci"},
		{"an acknowledgement", "serin.ack.production.checkout", g.as(t, "deployer"), forged, `deployer (says "boss")`},
		{"inside the account", "serin.cmd.production.checkout.approve", g.admin, forged, "boss (unverified)"},
	} {
		msg := &nats.Msg{Subject: c.subject, Header: c.header, Data: []byte("boss")}
		if _, err := c.by.RequestMsg(msg, patience); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		_, got, _ := strings.Cut(receive(t, heard), " by ")
		if c.name == "two forged headers" && strings.HasPrefix(got, c.want) {
			continue
		}
		if got != c.want && !(c.name == "two forged headers" && strings.HasSuffix(got, "(unverified)")) {
			t.Errorf("%s: on record is %q, want %q", c.name, got, c.want)
		}
	}
	// Published without waiting for an answer an acknowledgement is signed too.
	if err := g.as(t, "deployer").Publish("serin.ack.production.checkout", nil); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, heard); got != "ack production/checkout by deployer" {
		t.Errorf("heard %s", got)
	}
}

func TestWhatIsOnRecordSaysWhatIsVerified(t *testing.T) {
	for _, c := range []struct{ name, said, want string }{
		{"", "kim", "kim (unverified)"},
		{"", "", "somebody (unverified)"},
		{"", "kim (verified)\n\x1b[31m", "kim (verified) [31m (unverified)"},
		{"ci", "", "ci"},
		{"ci", "ci", "ci"},
		{"ci", `kim") boss (says "x`, `ci (says "kim\") boss (says \"x")`},
		{"", strings.Repeat("x", 500), strings.Repeat("x", maxActor-1) + "… (unverified)"},
	} {
		if got := (Actor{c.name}).Record(c.said); got != c.want {
			t.Errorf("%q says %q: %q, want %q", c.name, c.said, got, c.want)
		}
	}
}

func TestAcknowledgementsOfOtherServicesAndStolenLeasesAreRefused(t *testing.T) {
	g := guard(t, Names{}, Scope{Environment: "production", Service: "checkout"})
	heard := g.served(t)
	cart := deployments.Slot{Environment: "production", Service: "cart"}
	if _, err := (Client{Conn: g.as(t, "deployer").Conn}).Ack(t.Context(), cart, nil); !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("acknowledge for another service: %v", err)
	}
	for _, role := range []string{"ci", "operator", "viewer", "deployer", "application"} {
		c := g.as(t, role)
		c.refuses(t, role+" takes a lease", func(ctx context.Context) error {
			_, err := c.RequestWithContext(ctx, "$JS.API.CONSUMER.MSG.NEXT.SERIN_LEASE.w", nil)
			return err
		})
	}
	if len(heard) != 0 {
		t.Errorf("heard %s", <-heard)
	}
}
