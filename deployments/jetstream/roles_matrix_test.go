package jetstream

import (
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

const (
	mine    = "production.checkout"
	others  = "production.cart"
	staging = "staging.checkout"
)

var allRoles = []string{"ci", "operator", "viewer", "deployer", "worker", "application"}

// mayPublish says which roles may publish to a subject, scoped to production/checkout.
var mayPublish = map[string]string{
	"serin.release." + mine:    "ci",
	"serin.release." + others:  "",
	"serin.release." + staging: "",
	// Orders and acknowledgements.
	"serin.cmd." + mine + ".abort":          "ci operator",
	"serin.cmd." + mine + ".approve":        "operator",
	"serin.cmd." + mine + ".promote":        "operator",
	"serin.cmd." + others + ".abort":        "",
	"serin.cmd." + staging + ".abort":       "",
	"serin.cmd." + others + ".approve":      "",
	"serin.ack." + mine:                     "deployer",
	"serin.ack." + others:                   "",
	"serin.signed.cmd." + mine + ".abort":   "",
	"serin.signed.cmd." + mine + ".approve": "",
	"serin.signed.ack." + mine:              "",
	// Questions.
	"serin.ask." + mine:                 "operator viewer",
	"serin.ask." + others:               "",
	"serin.read." + mine + ".events":    "ci operator viewer deployer",
	"serin.read." + others + ".events":  "",
	"serin.read." + mine + ".last":      "ci operator viewer",
	"serin.read." + others + ".last":    "",
	"serin.read." + mine + ".history":   "ci operator viewer",
	"serin.read." + mine + ".journal":   "operator viewer",
	"serin.read." + others + ".history": "",
	"serin.slots":                       "",
	"serin.slots.production":            "",
	"serin.about":                       "operator viewer",
	// What only workers write.
	"serin.journal.0." + mine:                 "worker",
	"serin.event." + mine + ".step.started":   "worker",
	"serin.rollback." + mine:                  "worker",
	"serin.dlq.invalid":                       "worker",
	"serin.refused." + mine:                   "worker",
	"serin.summary." + mine + ".r":            "worker",
	"serin.worker.w1":                         "worker",
	"serin.offers.x":                          "worker",
	"serin.lease.0":                           "",
	"$KV.serin_flags.production.checkout":     "worker",
	"$KV.serin_policies.slot." + mine:         "worker",
	"$KV.serin_notify.x":                      "worker",
	"_INBOX.ci-production-checkout.forged.1":  "worker",
	"_INBOX.operator-production-checkout.f.1": "worker",
	"_R_.forged":                              "worker",
	// Streams.
	"$JS.API.INFO":                           "worker",
	"$JS.API.STREAM.PURGE.SERIN_JOURNAL":     "worker",
	"$JS.API.STREAM.CREATE.MINE":             "",
	"$JS.API.STREAM.CREATE.SERIN_JOURNAL":    "",
	"$JS.API.STREAM.UPDATE.SERIN_JOURNAL":    "",
	"$JS.API.STREAM.DELETE.SERIN_JOURNAL":    "",
	"$JS.API.STREAM.DELETE.SERIN_LEASE":      "",
	"$JS.API.STREAM.DELETE.KV_serin_flags":   "",
	"$JS.API.STREAM.PURGE.KV_serin_flags":    "",
	"$JS.API.STREAM.PURGE.SERIN_EVENTS":      "",
	"$JS.API.STREAM.MSG.DELETE.SERIN_EVENTS": "",
	"$JS.API.STREAM.MSG.GET.SERIN_RELEASES":  "",
	"$JS.API.STREAM.SNAPSHOT.SERIN_JOURNAL":  "",
	"$JS.API.STREAM.RESTORE.SERIN_JOURNAL":   "",
	"$JS.API.STREAM.LIST":                    "",
	"$JS.API.STREAM.NAMES":                   "",
	"$JS.API.ACCOUNT.PURGE.SERIN":            "",
	"$SYS.REQ.SERVER.PING":                   "",
	"$SYS.REQ.ACCOUNT.SERIN.CONNZ":           "",
	// Durable consumers.
	"$JS.API.CONSUMER.DELETE.SERIN_JOURNAL.dispatch":     "",
	"$JS.API.CONSUMER.DELETE.SERIN_JOURNAL.summaries":    "",
	"$JS.API.CONSUMER.DELETE.SERIN_RELEASES.ingest":      "",
	"$JS.API.CONSUMER.DELETE.SERIN_LEASE.w":              "",
	"$JS.API.CONSUMER.DELETE.SERIN_EVENTS.tell-slack":    "",
	"$JS.API.CONSUMER.PAUSE.SERIN_LEASE.w":               "",
	"$JS.API.CONSUMER.UNPIN.SERIN_LEASE.w":               "",
	"$JS.API.CONSUMER.MSG.NEXT.SERIN_JOURNAL.dispatch":   "worker",
	"$JS.API.CONSUMER.MSG.NEXT.SERIN_JOURNAL.summaries":  "worker",
	"$JS.API.CONSUMER.MSG.NEXT.SERIN_EVENTS.tell-slack":  "worker",
	"$JS.API.CONSUMER.MSG.NEXT.SERIN_RELEASES.ingest":    "worker",
	"$JS.API.CONSUMER.MSG.NEXT.SERIN_LEASE.w":            "worker",
	"$JS.API.CONSUMER.CREATE.SERIN_EVENTS.tell-slack":    "worker",
	"$JS.API.CONSUMER.CREATE.SERIN_EVENTS.tell-any":      "worker",
	"$JS.API.CONSUMER.DELETE.SERIN_EVENTS.tell-any":      "",
	"$JS.API.CONSUMER.RESET.SERIN_EVENTS.tell-any":       "",
	"$JS.API.CONSUMER.CREATE.SERIN_DLQ.tell-any":         "",
	"$JS.API.CONSUMER.MSG.NEXT.SERIN_DLQ.tell-any":       "",
	"$JS.ACK.SERIN_RELEASES.ingest.1.1.1.1.0":            "worker",
	"$JS.ACK.SERIN_LEASE.w.1.1.1.1.0":                    "worker",
	"$JS.ACK.SERIN_JOURNAL.dispatch.1.1.1.1.0":           "worker",
	"$JS.ACK.SERIN_EVENTS.tell-slack.1.1.1.1.0":          "worker",
	"$JS.API.CONSUMER.DURABLE.CREATE.SERIN_JOURNAL.mine": "",
	"$JS.API.CONSUMER.CREATE.SERIN_JOURNAL":              "",
	"$JS.API.CONSUMER.LIST.SERIN_EVENTS":                 "",
	"$JS.API.CONSUMER.NAMES.SERIN_EVENTS":                "",
	// Consumers of one's own.
	"$JS.API.CONSUMER.CREATE.SERIN_EVENTS.mine":                                  "worker",
	"$JS.API.CONSUMER.CREATE.KV_serin_notify.x.$KV.serin_notify.>":               "worker",
	"$JS.API.CONSUMER.CREATE.SERIN_RELEASES.mine.serin.>":                        "",
	"$JS.API.CONSUMER.CREATE.SERIN_LEASE.mine.serin.>":                           "",
	"$JS.API.CONSUMER.CREATE.SERIN_EVENTS.x.serin.event." + mine + ".>":          "",
	"$JS.API.CONSUMER.CREATE.SERIN_EVENTS.tell-slack.serin.event." + mine + ".>": "",
	"$JS.API.CONSUMER.CREATE.SERIN_SUMMARY.x.serin.summary." + mine + ".*":       "worker",
	"$JS.API.CONSUMER.CREATE.SERIN_JOURNAL.x.serin.journal.1." + mine:            "worker",
	"$JS.API.CONSUMER.CREATE.SERIN_JOURNAL.dispatch.serin.journal.1." + mine:     "",
	"$JS.API.CONSUMER.CREATE.SERIN_JOURNAL.x.serin.journal.>":                    "worker",
	"$JS.API.CONSUMER.CREATE.KV_serin_flags.x.$KV.serin_flags.production.>":      "worker",
	"serin.js.CONSUMER.CREATE.KV_serin_flags.x.$KV.serin_flags.production.>":     "application",
	"serin.js.CONSUMER.CREATE.KV_serin_flags.x.$KV.serin_flags.staging.>":        "",
	"serin.js.CONSUMER.CREATE.KV_serin_flags.x":                                  "",
	"serin.js.CONSUMER.CREATE.KV_serin_flags":                                    "",
	"serin.js.CONSUMER.DELETE.KV_serin_flags.x":                                  "application",
	"serin.js.STREAM.INFO.KV_serin_flags":                                        "operator viewer application",
	"serin.js.STREAM.INFO.SERIN_JOURNAL":                                         "",
	"serin.js.STREAM.DELETE.KV_serin_flags":                                      "",
	"serin.js.$KV.serin_flags.production.checkout":                               "",
	"serin.js.DIRECT.GET.KV_serin_flags.$KV.serin_flags.staging.checkout":        "",
	"$JS.API.CONSUMER.CREATE.KV_serin_flags.x.$KV.serin_flags.staging.>":         "worker",
	// Single messages.
	"$JS.API.DIRECT.GET.SERIN_JOURNAL.serin.journal.1." + mine:                     "worker",
	"$JS.API.DIRECT.GET.SERIN_JOURNAL":                                             "worker",
	"$JS.API.DIRECT.GET.SERIN_EVENTS":                                              "worker",
	"$JS.API.DIRECT.GET.SERIN_DLQ.serin.dlq.invalid":                               "",
	"$JS.API.DIRECT.GET.KV_serin_flags":                                            "",
	"$JS.API.DIRECT.GET.KV_serin_flags.$KV.serin_flags.production.checkout":        "worker",
	"serin.js.DIRECT.GET.KV_serin_flags.$KV.serin_flags.production.checkout":       "operator viewer",
	"$JS.API.DIRECT.GET.KV_serin_flags.$KV.serin_flags.staging.checkout":           "worker",
	"$JS.API.DIRECT.GET.KV_serin_policies.$KV.serin_policies.slot." + mine:         "worker",
	"$JS.API.DIRECT.GET.SERIN_EVENTS.serin.event.production.checkout.step.started": "worker",
}

// maySubscribe says which roles may subscribe to a subject.
var maySubscribe = map[string]string{
	"_INBOX.>":                               "",
	"_INBOX.worker.>":                        "worker",
	"_INBOX.ci-production-checkout.>":        "ci",
	"_INBOX.operator-production-checkout.>":  "operator",
	"_INBOX.application-production.>":        "application",
	"_R_.>":                                  "",
	"serin.cmd." + mine + ".approve":         "worker",
	"serin.cmd.>":                            "",
	"serin.signed.cmd.production.checkout.*": "worker",
	"serin.ack.production.*":                 "worker",
	"serin.ack.>":                            "",
	"serin.event." + mine + ".>":             "ci operator viewer deployer worker",
	"serin.event." + others + ".>":           "worker",
	"serin.rollback." + mine:                 "deployer",
	"serin.rollback." + others:               "",
	"serin.refused." + mine:                  "ci",
	"serin.refused." + others:                "",
	"serin.release.>":                        "",
	"serin.journal.>":                        "",
	"serin.dlq.*":                            "",
	"serin.worker.*":                         "operator viewer worker",
	"serin.offers.>":                         "worker",
	"$KV.serin_flags.>":                      "",
	"$JS.API.>":                              "",
	">":                                      "",
}

func TestEachRoleMayDoItsPartAndNothingElse(t *testing.T) {
	g := guard(t, Names{}, Scope{Environment: "production", Service: "checkout"})
	heard, err := g.admin.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.admin.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, role := range allRoles {
		c := g.as(t, role)
		for subject, roles := range mayPublish {
			may := slices.Contains(strings.Fields(roles), role)
			if got := c.lets(t, func() error { return c.Publish(subject, []byte(role)) }); got != may {
				t.Errorf("%s publishes to %s: %t, want %t", role, subject, got, may)
			}
		}
		for subject, roles := range maySubscribe {
			may := slices.Contains(strings.Fields(roles), role)
			got := c.lets(t, func() error {
				_, err := c.SubscribeSync(subject)
				return err
			})
			if got != may {
				t.Errorf("%s subscribes to %s: %t, want %t", role, subject, got, may)
			}
		}
	}
	if err := g.admin.Flush(); err != nil {
		t.Fatal(err)
	}
	arrived(t, heard)
}

// arrived checks what has come into Serin's account: nothing that its sender may not send.
func arrived(t *testing.T, heard *nats.Subscription) {
	t.Helper()
	n := 0
	for {
		msg, err := heard.NextMsg(0)
		if err != nil {
			break
		}
		role := string(msg.Data)
		if !slices.Contains(allRoles, role) {
			continue // an answer of the server
		}
		n++
		subject := strings.Replace(msg.Subject, "serin.signed.", "serin.", 1)
		foreign := "serin.js." + strings.TrimPrefix(msg.Subject, "$JS.API.")
		if !slices.Contains(strings.Fields(mayPublish[subject]+" "+mayPublish[foreign]), role) {
			t.Errorf("%s of %s arrived", msg.Subject, role)
		}
		if signed := subject != msg.Subject; signed && sender(msg.Header).Name == "" {
			t.Errorf("%s of %s is not signed: %v", msg.Subject, role, msg.Header)
		}
	}
	if n < 20 {
		t.Errorf("only %d messages arrived: nothing is tested", n)
	}
}
