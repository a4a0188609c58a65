// Package web takes releases in over HTTP, from whoever has curl and no NATS client.
//
//	POST /v1/releases/<environment>/<service>   a release, as JSON or as a CloudEvent
//
// It decides nothing about a release: Publish stores it where a release published on NATS goes, and says what is wrong
// with one that would be refused there. A client is answered once its release is stored, with its id, or told why not.
//
// Without tokens only programs of this machine may be let reach it. A page in a browser on this machine is none of them:
// what carries an Origin or another host's name is refused, and so is a body of a kind that a page may send unasked.
package web
