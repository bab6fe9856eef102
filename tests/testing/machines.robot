*** Settings ***
Library    rvplat.testing.robot.Rvplat

*** Test Cases ***
It Boots
    Open Machine    program=demo    harts=2    harts.regions=off
    Start Machine
    ${match} =    Expect    harts\\s+(\\d+)    timeout_s=60
    Should Be Equal    ${match}[1]    2
    ${reason} =    Wait For End
    Should Be Equal    ${reason}    off

It Begins Where It Was Booted
    Open Booted Machine    Running:    program=demo
    Check The End

It Begins There Again
    Open Booted Machine    Running:    program=demo
    Check The End

A Machine That Is Wrong
    Run Keyword And Expect Error    RvplatError: Open Machine: progam is no argument*
    ...    Open Machine    progam=demo
    Run Keyword And Expect Error    no machine is open*    Start Machine

It Fails
    [Tags]    fails
    Open Machine    program=demo
    Start Machine
    Expect    no such text    timeout_s=60

Code That Raises Fails The Case
    [Tags]    fails
    Open Machine    name=other    program=demo
    Open Machine    program=demo
    Call Code That Raises
    Switch Machine    other
    Call Code That Raises

All Machines Were Taken Back
    Open Machine    name=other    program=demo
    Open Machine    program=demo

*** Keywords ***
Call Code That Raises
    ${machine} =    Current Machine
    Evaluate    $machine.on($machine.harts[0].pc, lambda event: 1 // 0)
    Start Machine
    Run Keyword And Expect Error    TimeoutError: *the machine stopped*    Expect    never

Check The End
    Start Machine
    ${match} =    Expect    primes\\s+(\\d+) below    guest_s=60    console=uart0
    Should Be Equal    ${match}[1]    9592
