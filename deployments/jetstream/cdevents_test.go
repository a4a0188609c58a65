package jetstream

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/serin-cd/serin/deployments"
)

// cdeventOf is a CDEvent of a type, with an artifact and what goes in front of the end.
func cdeventOf(kind, artifact, more string) string {
	return `{"context": {"specversion": "0.5.1", "id": "271069a8", "source": "/tekton/1", "type": "dev.cdevents.` + kind + `", "timestamp": "2026-03-20T14:27:05Z", "chainId": "4c8c"},
		"subject": {"id": "service/checkout", "source": "/x", "content": {"environment": {"id": "cluster/production"}, "artifactId": "` + artifact + `"}}` + more + `}`
}

const digest = "sha256%3A0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427"

func TestCDEventsOfADeploymentAreReleases(t *testing.T) {
	const deployed = "service.deployed.0.2.0"
	oci := "pkg:oci/checkout@" + digest + "?repository_url=ghcr.io%2Facme&tag=1.4.2"
	whole := cdeventOf(deployed, oci, "")
	extra := func(kind string) json.RawMessage {
		return json.RawMessage(`{"cdevent":{"chain_id":"4c8c","type":"dev.cdevents.` + kind + `"}}`)
	}
	want := deployments.Release{Slot: checkout, ID: "271069a8", Version: "1.4.2", Artifact: oci, Extra: extra(deployed)}
	with := func(change func(*deployments.Release)) deployments.Release {
		r := want
		change(&r)
		return r
	}
	envelope := `"specversion":"1.0","id":"271069a8","source":"/tekton/1","type":"dev.cdevents.` + deployed + `"`
	for name, tt := range map[string]struct {
		header nats.Header
		body   string
		want   deployments.Release
	}{
		"by itself":  {nil, whole, want},
		"structured": {nil, `{` + envelope + `,"data":` + whole + `}`, want},
		"binary": {ce("ce-specversion", "1.0", "ce-id", "271069a8", "ce-source", "/tekton/1", "ce-type", "dev.cdevents."+deployed, "ce-datacontenttype", "application/json"),
			whole, want},
		"in an envelope of another type": {nil, `{"specversion":"1.0","id":"other","source":"/x","type":"com.acme.deploy","data":` + whole + `}`, want},
		"upgraded":                       {nil, cdeventOf("service.upgraded.0.1.1", oci, ""), with(func(r *deployments.Release) { r.Extra = extra("service.upgraded.0.1.1") })},
		"published, a draft":             {nil, cdeventOf("service.published.0.6.0-draft", oci, ""), with(func(r *deployments.Release) { r.Extra = extra("service.published.0.6.0-draft") })},
		"a digest alone": {nil, cdeventOf(deployed, "pkg:oci/checkout@"+digest, ""), with(func(r *deployments.Release) {
			r.Version, r.Artifact = "sha256:0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427", "pkg:oci/checkout@"+digest
		})},
		"another kind of package": {nil, cdeventOf(deployed, "pkg:golang/example.com/acme/checkout@v1.4.2%2Bbuild#cmd", ""), with(func(r *deployments.Release) {
			r.Version, r.Artifact = "v1.4.2+build", "pkg:golang/example.com/acme/checkout@v1.4.2%2Bbuild#cmd"
		})},
		"a scoped package": {nil, cdeventOf(deployed, "pkg:npm/%40acme/checkout@1.4.2", ""), with(func(r *deployments.Release) { r.Artifact = "pkg:npm/%40acme/checkout@1.4.2" })},
		"a version of the sender's": {nil, cdeventOf(deployed, "ghcr.io/acme/checkout", `, "customData": {"version": "1.4.2", "commit": "abc", "ref": "main", "author": "Ana",
			"run_url": "https://ci/7", "change_url": "https://git/8", "policy": "lax", "service": "cart"}`),
			with(func(r *deployments.Release) {
				r.Artifact, r.Commit, r.Ref, r.Author, r.RunURL, r.Change = "ghcr.io/acme/checkout", "abc", "main", "Ana", "https://ci/7", "https://git/8"
			})},
		"an artifact of the sender's": {nil, `{"context": {"id": "271069a8", "source": "/x", "type": "dev.cdevents.service.published.0.3.0", "chainId": "4c8c"},
			"subject": {"id": "checkout", "content": {"environment": {"id": "production"}}}, "customData": {"artifact": "` + oci + `"}}`,
			with(func(r *deployments.Release) { r.Extra = extra("service.published.0.3.0") })},
		"the artifact goes first": {nil, cdeventOf(deployed, oci, `, "customData": {"version": "9"}`), want},
		"other custom data":       {nil, cdeventOf(deployed, oci, `, "customData": "PHhtbD4=", "customDataContentType": "application/xml"`), want},
		"a source that is a page": {nil, strings.Replace(whole, "/tekton/1", "https://ci/9", 1), with(func(r *deployments.Release) { r.RunURL = "https://ci/9" })},
		"an artifact": {nil, `{"context": {"version": "0.4.1", "id": "8", "source": "/x", "type": "dev.cdevents.artifact.published.0.2.0", "timestamp": "2026-03-20T14:27:05Z"},
			"subject": {"id": "` + oci + `", "type": "artifact", "content": {"user": "ana"}}}`,
			deployments.Release{Slot: checkout, ID: "8", Version: "1.4.2", Artifact: oci, Author: "ana", Extra: json.RawMessage(`{"cdevent":{"type":"dev.cdevents.artifact.published.0.2.0"}}`)}},
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

func TestOtherCDEventsAreRefusedWithWhatIsUnderstood(t *testing.T) {
	good := cdeventOf("service.deployed.0.2.0", "pkg:oci/checkout@1.4.2", "")
	for name, tt := range map[string]struct {
		header       nats.Header
		body, reason string
		says         string
	}{
		"removed":           {nil, cdeventOf("service.removed.0.2.0", "", ""), Unsupported, "service.removed tells of no new version"},
		"rolled back":       {nil, cdeventOf("service.rolledback.0.2.0", "", ""), Unsupported, "serin abort"},
		"a build":           {nil, cdeventOf("build.finished.0.2.0", "", ""), Unsupported, "understood are service.deployed, service.upgraded, service.published and artifact.published"},
		"a later version":   {nil, cdeventOf("service.deployed.1.0.0", "pkg:oci/checkout@1", ""), Unsupported, "versions 0.x"},
		"no version":        {nil, cdeventOf("service.deployed", "pkg:oci/checkout@1", ""), Unsupported, "understood are"},
		"one's own":         {nil, strings.Replace(good, "dev.cdevents.", "dev.cdeventsx.acme-", 1), Unsupported, "understood are"},
		"another service":   {nil, strings.Replace(good, "service/checkout", "service/cart", 1), Mismatch, `"cart"`},
		"other environment": {nil, strings.Replace(good, "cluster/production", "staging", 1), Mismatch, `"staging"`},
		"no artifact":       {nil, cdeventOf("service.deployed.0.2.0", "", ""), Invalid, "package URL"},
		"a bare image":      {nil, cdeventOf("service.deployed.0.2.0", "ghcr.io/acme/checkout:1", ""), Invalid, "package URL"},
		"a number":          {nil, cdeventOf("service.deployed.0.2.0", "x", `,"customData":{"version":1.4}`), Invalid, "version must be a string"},
		"hostile version":   {nil, cdeventOf("service.deployed.0.2.0", "pkg:oci/checkout@1%1B", ""), Invalid, "control characters"},
		"no id":             {nil, strings.Replace(good, "271069a8", "", 1), Malformed, "context.id"},
		"a subject in text": {nil, `{"context":{"type":"dev.cdevents.service.deployed.0.2.0"},"subject":"checkout"}`, Malformed, "cannot be read"},
		"an envelope of another event": {nil, `{"specversion":"1.0","id":"7","source":"x","type":"dev.cdevents.service.removed.0.2.0","data":` + good + `}`,
			Malformed, "has the type"},
		"an envelope and no event": {ce("ce-specversion", "1.0", "ce-id", "7", "ce-source", "x", "ce-type", "dev.cdevents.service.deployed.0.2.0"),
			`{"version":"1.4.2"}`, Malformed, "whole CDEvent"},
		"an envelope with text": {ce("ce-specversion", "1.0", "ce-id", "7", "ce-source", "x", "ce-type", "dev.cdevents.service.deployed.0.2.0"), `hello`, Malformed, "no JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := DecodeRelease(subject, tt.header, []byte(tt.body))
			if got := deployments.Refusal(err); got != tt.reason || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%+v, refused for %q (%v), want %q and %q", r, got, err, tt.reason, tt.says)
			}
		})
	}
}
