package rediserr

import (
	"errors"

	"github.com/redis/go-redis/v9"
)

// Class is what an error of a Redis request means for the next step of the caller.
type Class int

// The classes. Only after ClassConnection is it unknown whether the server executed the request.
const (
	// ClassNone: the request did not fail. redis.Nil, the reply for a missing value, has this class
	// too.
	ClassNone Class = iota
	// ClassConnection: no readable reply arrived. The server may have executed the request, may
	// execute it later, or may never execute it.
	ClassConnection
	// ClassTransient: the server rejected the request for a temporary reason (LOADING, OOM,
	// READONLY, CLUSTERDOWN, MOVED, ...).
	ClassTransient
	// ClassPermission: the user may not run the command or may not access the key.
	ClassPermission
	// ClassAuth: the server did not authenticate the client.
	ClassAuth
	// ClassWrongType: the key holds a value of another type.
	ClassWrongType
	// ClassFinal: any other rejection. A retry would get the same error.
	ClassFinal
)

// Classify returns the class of an error of a Redis client. The error can be wrapped.
func Classify(err error) Class {
	class, _ := diagnose(err)
	return class
}

// diagnose returns the class and the remedy of an error.
func diagnose(err error) (Class, string) {
	var reply redis.Error
	var rejection Rejection
	switch {
	case withoutMaster(err):
		return diagnoseSentinels(err)
	case err == nil, errors.Is(err, redis.Nil):
		return ClassNone, ""
	case errors.Is(err, redis.ErrClosed):
		return ClassFinal, "rafka closed this connection because it is stopping: no action is needed"
	case errors.As(err, &rejection):
		return diagnoseServerError(Error(rejection))
	case errors.As(err, &reply):
		return diagnoseServerError(reply)
	}
	return ClassConnection, connectionRemedy(err)
}
