// Package standardwebhooks signs requests as Standard Webhooks has it (https://www.standardwebhooks.com), so that the
// libraries of that name verify them.
//
// [Secrets] reads the keys from a file, and [Sign] sets the three headers of a request:
//
//	Webhook-Id         the same for every try of one message
//	Webhook-Timestamp  seconds since 1970
//	Webhook-Signature  "v1," and base64 of HMAC-SHA256 over "<id>.<timestamp>.<body>"; one a key, with a space between
//
// Two keys are for the time in which one takes the other's place. No error holds a key.
package standardwebhooks
