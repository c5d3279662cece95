// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Findings} from "./Findings.sol";
import {Lockbox} from "./Lockbox.sol";
import {IComplianceGate} from "./interfaces/IComplianceGate.sol";
import {ILockbox} from "./interfaces/ILockbox.sol";
import {IQualityDeposit} from "./interfaces/IQualityDeposit.sol";
import {BookConfig, IReceivableBook, Receivable, State} from "./interfaces/IReceivableBook.sol";
import {Accrual} from "./libraries/Accrual.sol";
import {Errors} from "./libraries/Errors.sol";
import {Cancel, Confirmation, Finding, TypedData} from "./libraries/TypedData.sol";
import {Legs, Waterfall} from "./libraries/Waterfall.sol";

/// @title ReceivableBook
/// @notice Receivables that a platform confirmed, a lender financed, and that repay themselves.
/// @dev Every function that moves money writes the state first, then emits, then calls the asset. No function names
/// a recipient: money goes to the seller, the lender and the treasury that were written before, and to no one else.
contract ReceivableBook is IReceivableBook, Findings, ReentrancyGuardTransient, Pausable {
    using SafeCast for uint256;
    using SafeERC20 for IERC20;
    using Waterfall for Legs;

    /// @dev Until when a seller is frozen, and the second at which the newest finding about it was issued.
    struct SellerFreeze {
        uint32 untilDay;
        uint64 findingAt;
    }

    /// @notice May fund receivables.
    bytes32 public constant LENDER_ROLE = keccak256("LENDER_ROLE");
    /// @notice Flag: the seller answers for what the platform does not pay.
    uint8 public constant FLAG_RECOURSE = 1;
    /// @notice Flag: the end came after the due day.
    uint8 public constant FLAG_LATE = 2;
    /// @notice Flag: closed with less than the face received.
    uint8 public constant FLAG_SHORT = 4;
    /// @notice Highest advance, basis points of the face.
    uint16 public constant ADV_BPS_MAX = 9_000;
    /// @notice Highest servicing fee, basis points of the face; with the highest advance it never exceeds the face.
    uint16 public constant FEE_BPS_MAX = 1_000;
    /// @notice Longest grace, days.
    uint16 public constant GRACE_DAYS_MAX = 90;
    /// @notice Longest time to the due day, days.
    uint32 public constant TENOR_DAYS_MAX = 366;
    /// @notice How long a freeze lasts unless lifted or renewed, days.
    uint32 public constant FREEZE_DAYS = 60;
    /// @notice How far ahead a deadline of a signed statement may be, seconds.
    uint64 public constant DEADLINE_SPAN_MAX = 7 days;
    /// @notice Most receivables that one `checkUpkeep` looks at.
    uint256 public constant CHECK_LIMIT_MAX = 200;
    /// @notice Most items that one `performUpkeep` performs.
    uint256 public constant PERFORM_ITEMS_MAX = 20;
    /// @notice `performUpkeep` begins no item with less gas than this.
    uint256 public constant PERFORM_GAS_MIN = 200_000;
    /// @notice Action of an upkeep item: empty the lockbox.
    uint8 public constant ACTION_SWEEP = 1;

    /// @dev Gas that an item leaves for the loop around it.
    uint256 private constant PERFORM_GAS_KEPT = 20_000;
    /// @dev Bytes of an upkeep item: an id and an action.
    uint256 private constant ITEM_SIZE = 33;

    /// @notice The settlement asset.
    IERC20 public immutable ASSET;
    /// @notice Receives servicing fees.
    address public immutable TREASURY;
    /// @notice Which listings may be financed; zero means that none is asked for.
    IComplianceGate public immutable GATE;
    /// @notice The sellers' deposits; zero means that none is asked for.
    IQualityDeposit public immutable QUALITY_DEPOSIT;
    /// @notice The code that every lockbox points to.
    address public immutable LOCKBOX_CODE;
    /// @notice Highest yearly interest, late interest included, basis points.
    uint16 public immutable APR_BPS_MAX;
    /// @notice How old an attestation may be at funding, days.
    uint32 public immutable ATTESTATION_AGE_DAYS_MAX;

    /// @dev Shares a word with the flag of Pausable, which `register` reads anyway.
    uint64 private _count;
    mapping(bytes32 id => Receivable) private _receivables;
    mapping(uint64 index => bytes32) private _ids;
    mapping(address account => uint256) private _claimable;
    mapping(uint32 platformId => address) private _platformSigners;
    mapping(address seller => SellerFreeze) private _sellerFreezes;

    /// @param config How the book is set up.
    constructor(BookConfig memory config)
        Findings("Carnet ReceivableBook", config.admin, config.changeDelay)
    {
        require(config.asset.code.length != 0, Errors.AddressInvalid(config.asset));
        require(config.treasury != address(0), Errors.AddressInvalid(config.treasury));
        require(config.aprBpsMax <= Accrual.BPS, Errors.RateOutOfRange(config.aprBpsMax, uint16(Accrual.BPS)));
        ASSET = IERC20(config.asset);
        TREASURY = config.treasury;
        GATE = IComplianceGate(config.gate);
        QUALITY_DEPOSIT = IQualityDeposit(config.qualityDeposit);
        LOCKBOX_CODE = address(new Lockbox(IERC20(config.asset)));
        APR_BPS_MAX = config.aprBpsMax;
        ATTESTATION_AGE_DAYS_MAX = config.attestationAgeDaysMax;
        if (config.gate == address(0)) emit DeployedWithoutGate();
        if (config.qualityDeposit == address(0)) emit DeployedWithoutQualityDeposit();
    }

    // Registration.

    /// @inheritdoc IReceivableBook
    function register(Confirmation calldata c, bytes calldata signature)
        external
        whenNotPaused
        returns (bytes32 id)
    {
        id = idOf(c.platformId, c.docHash);
        Receivable storage r = _receivables[id];
        require(r.state == State.None, Errors.AlreadyRegistered(id));
        uint32 today = _today();
        _requireTerms(c, today);
        _requireSeller(id, c, today);
        _useSigned(c.platformId, TypedData.hash(c), c.nonce, c.deadline, signature);

        r.seller = c.seller;
        r.face = c.face;
        r.listingHash = c.listingHash;
        r.state = State.Confirmed;
        r.flags = c.recourse ? FLAG_RECOURSE : 0;
        r.platformId = c.platformId;
        r.advBps = c.advBps;
        r.bps = c.bps;
        r.lateBps = c.lateBps;
        r.feeBps = c.feeBps;
        r.basis = c.basis;
        r.graceDays = c.graceDays;
        r.confirmedDay = today;
        r.dueDay = c.dueDay;
        _ids[_count++] = id;
        emit Confirmed(id, c.platformId, c.seller, c.face, c.dueDay, c.docHash, c.listingHash);
    }

    /// @inheritdoc IReceivableBook
    function cancel(bytes32 id) external nonReentrant {
        Receivable storage r = _receivables[id];
        require(r.seller == msg.sender, Errors.NotSeller(id, msg.sender));
        require(!_isFrozen(r, _today()), Errors.ReceivableFrozen(id, r.frozenUntilDay));
        _cancel(id, r);
    }

    /// @inheritdoc IReceivableBook
    function cancelBySignature(Cancel calldata c, bytes calldata signature) external nonReentrant {
        Receivable storage r = _receivables[c.id];
        require(r.state == State.Confirmed, Errors.StateUnexpected(c.id, uint8(r.state)));
        _useSigned(r.platformId, TypedData.hash(c), c.nonce, c.deadline, signature);
        _cancel(c.id, r);
    }

    // Money.

    /// @inheritdoc IReceivableBook
    function fund(bytes32 id, uint96 minAdvance, uint16 maxBps)
        external
        whenNotPaused
        nonReentrant
        onlyRole(LENDER_ROLE)
    {
        Receivable storage r = _receivables[id];
        uint32 today = _today();
        require(r.state == State.Confirmed, Errors.StateUnexpected(id, uint8(r.state)));
        require(today > r.confirmedDay, Errors.FundedTooEarly(id, r.confirmedDay + 1));
        require(today < r.dueDay, Errors.FundedTooLate(id, r.dueDay - 1));
        require(!_isFrozen(r, today), Errors.ReceivableFrozen(id, r.frozenUntilDay));
        require(r.flags & FLAG_RECOURSE == 0 || r.maxPull != 0, Errors.PullNotAuthorised(id));
        require(r.seller != msg.sender, Errors.LenderIsSeller(id));
        uint96 advance = _advance(r);
        require(advance >= minAdvance && r.bps <= maxBps, Errors.TermsOutOfBounds(advance, r.bps));
        _requireCover(id, r, advance, today);
        require(_isEligible(r.listingHash), Errors.NotEligible(id, r.listingHash));

        r.state = State.Funded;
        r.fundedDay = today;
        r.lender = msg.sender;
        emit Funded(id, msg.sender, advance, today);

        if (address(QUALITY_DEPOSIT) != address(0)) QUALITY_DEPOSIT.pledge(id, r.seller, r.face);
        _pull(msg.sender, r.seller, advance);
    }

    /// @inheritdoc IReceivableBook
    function settle(bytes32 id, uint96 amount) external nonReentrant returns (uint256 paid) {
        return _settle(id, _receivables[id], amount, false);
    }

    /// @inheritdoc IReceivableBook
    function repayEarly(bytes32 id, uint96 amount) external nonReentrant returns (uint256 paid) {
        Receivable storage r = _receivables[id];
        require(r.seller == msg.sender, Errors.NotSeller(id, msg.sender));
        return _settle(id, r, amount, true);
    }

    /// @inheritdoc IReceivableBook
    function sweep(bytes32 id) external nonReentrant {
        Receivable storage r = _receivables[id];
        require(r.state != State.None, Errors.StateUnexpected(id, uint8(r.state)));
        address box = lockboxOf(id);
        uint256 balance = ASSET.balanceOf(box);
        bool isHoldOver = r.held != 0 && !_isFrozen(r, _today());
        require(balance != 0 || isHoldOver, Errors.NothingToSweep(id));

        if (balance != 0) _sweep(id, r, box, balance);
        if (isHoldOver) _releaseHold(id, r);
    }

    /// @inheritdoc IReceivableBook
    function payoutClaim(address to) external nonReentrant {
        uint256 amount = _claimable[to];
        require(amount != 0, Errors.NothingToClaim(to));
        _claimable[to] = 0;
        emit Claimed(to, amount);
        ASSET.safeTransfer(to, amount);
    }

    // Findings.

    /// @inheritdoc IReceivableBook
    function freeze(Finding calldata f, bytes calldata signature) external {
        Receivable storage r = _receivables[f.id];
        require(r.state != State.None, Errors.StateUnexpected(f.id, uint8(r.state)));
        require(f.code != CODE_LIFTED, Errors.FindingCodeInvalid(f.code));
        _useFinding(f, signature, r.findingAt);

        uint32 today = _today();
        if (!_isFrozen(r, today)) {
            _countFreeze(r, today);
            r.frozenFromDay = today;
        }
        r.frozenUntilDay = today + FREEZE_DAYS;
        r.findingAt = uint40(f.issuedAt);
        emit Frozen(f.id, f.code, f.evidenceHash, today + FREEZE_DAYS);
    }

    /// @inheritdoc IReceivableBook
    function unfreeze(Finding calldata f, bytes calldata signature) external nonReentrant {
        Receivable storage r = _receivables[f.id];
        uint32 today = _today();
        require(_isFrozen(r, today), Errors.NotFrozen(f.id));
        require(f.code == CODE_LIFTED, Errors.FindingCodeInvalid(f.code));
        _useFinding(f, signature, r.findingAt);

        r.frozenUntilDay = today;
        r.findingAt = uint40(f.issuedAt);
        emit Unfrozen(f.id, f.evidenceHash);
        if (r.held != 0) _releaseHold(f.id, r);
    }

    /// @inheritdoc IReceivableBook
    function freezeSeller(Finding calldata f, bytes calldata signature) external {
        require(f.code != CODE_LIFTED, Errors.FindingCodeInvalid(f.code));
        uint32 untilDay = _today() + FREEZE_DAYS;
        address seller = _setSellerFreeze(f, signature, untilDay);
        emit SellerFrozen(seller, f.code, f.evidenceHash, untilDay);
    }

    /// @inheritdoc IReceivableBook
    function unfreezeSeller(Finding calldata f, bytes calldata signature) external {
        require(f.code == CODE_LIFTED, Errors.FindingCodeInvalid(f.code));
        address seller = _setSellerFreeze(f, signature, 0);
        emit SellerUnfrozen(seller, f.evidenceHash);
    }

    // Administration.

    /// @inheritdoc IReceivableBook
    function setPlatform(uint32 platformId, address signer) external onlyRole(DEFAULT_ADMIN_ROLE) {
        // A key that was lost must be gone at once; a new one is announced.
        if (signer != address(0)) _requireAnnounced();
        _platformSigners[platformId] = signer;
        emit PlatformSet(platformId, signer);
    }

    /// @inheritdoc IReceivableBook
    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    /// @inheritdoc IReceivableBook
    function unpause() external onlyRole(DEFAULT_ADMIN_ROLE) {
        _unpause();
    }

    // Upkeep.

    /// @inheritdoc IReceivableBook
    function performUpkeep(bytes calldata performData) external {
        uint256 items = Math.min(performData.length / ITEM_SIZE, PERFORM_ITEMS_MAX);
        for (uint256 i = 0; i < items; ++i) {
            if (gasleft() < PERFORM_GAS_MIN) return;
            uint256 start = i * ITEM_SIZE;
            bytes32 id = bytes32(performData[start:start + 32]);
            if (uint8(performData[start + 32]) != ACTION_SWEEP || !_isSweepable(id)) continue;
            // An item that fails, for whatever reason of the asset, must not stop the others.
            try this.sweep{gas: gasleft() - PERFORM_GAS_KEPT}(id) {} catch {}
        }
    }

    /// @inheritdoc IReceivableBook
    function checkUpkeep(bytes calldata checkData)
        external
        view
        returns (bool upkeepNeeded, bytes memory performData)
    {
        (uint256 offset, uint256 limit) = abi.decode(checkData, (uint256, uint256));
        uint256 end = Math.min(_count, Math.saturatingAdd(offset, Math.min(limit, CHECK_LIMIT_MAX)));
        uint256 items = 0;
        for (uint256 i = offset; i < end && items < PERFORM_ITEMS_MAX; ++i) {
            bytes32 id = _ids[uint64(i)];
            if (!_isSweepable(id)) continue;
            performData = bytes.concat(performData, id, bytes1(ACTION_SWEEP));
            ++items;
        }
        upkeepNeeded = items != 0;
    }

    // Views.

    /// @inheritdoc IReceivableBook
    function quote(bytes32 id, uint32 day)
        external
        view
        returns (uint256 fee, uint256 interest, uint256 principal, uint256 total, uint256 residualAtFace)
    {
        Receivable storage r = _receivables[id];
        Legs memory due = _dueOn(r, day);
        total = due.total();
        residualAtFace = _isOpen(r.state) ? Math.saturatingSub(_expected(r), total) : 0;
        return (due.fee, due.interest, due.principal, total, residualAtFace);
    }

    /// @inheritdoc IReceivableBook
    function owed(bytes32 id) external view returns (uint256) {
        return _dueOn(_receivables[id], _today()).total();
    }

    /// @inheritdoc IReceivableBook
    function stateAt(bytes32 id, uint32 day) external view returns (State) {
        Receivable storage r = _receivables[id];
        return r.state == State.Funded && day > r.dueDay ? State.Overdue : r.state;
    }

    /// @inheritdoc IReceivableBook
    function receivable(bytes32 id) external view returns (Receivable memory) {
        return _receivables[id];
    }

    /// @inheritdoc IReceivableBook
    function isFrozen(bytes32 id) external view returns (bool) {
        return _isFrozen(_receivables[id], _today());
    }

    /// @inheritdoc IReceivableBook
    function claimable(address account) external view returns (uint256) {
        return _claimable[account];
    }

    /// @inheritdoc IReceivableBook
    function platformSigner(uint32 platformId) external view returns (address) {
        return _platformSigners[platformId];
    }

    /// @inheritdoc IReceivableBook
    function sellerFrozenUntil(address seller) external view returns (uint32) {
        return _sellerFreezes[seller].untilDay;
    }

    /// @inheritdoc IReceivableBook
    function count() external view returns (uint64) {
        return _count;
    }

    /// @inheritdoc IReceivableBook
    function idAt(uint64 index) external view returns (bytes32) {
        return _ids[index];
    }

    /// @notice The EIP-712 type hash of a confirmation.
    function CONFIRMATION_TYPEHASH() external pure returns (bytes32) {
        return TypedData.CONFIRMATION_TYPEHASH;
    }

    /// @notice The EIP-712 type hash of a cancellation.
    function CANCEL_TYPEHASH() external pure returns (bytes32) {
        return TypedData.CANCEL_TYPEHASH;
    }

    /// @inheritdoc IReceivableBook
    function lockboxOf(bytes32 id) public view returns (address) {
        return Clones.predictDeterministicAddress(LOCKBOX_CODE, id, address(this));
    }

    /// @inheritdoc IReceivableBook
    function idOf(uint32 platformId, bytes32 docHash) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), platformId, docHash));
    }

    // Registration, inside.

    function _requireTerms(Confirmation calldata c, uint32 today) private view {
        require(c.face != 0, Errors.FaceIsZero());
        require(
            c.dueDay > today && c.dueDay <= today + TENOR_DAYS_MAX,
            Errors.DueDayOutOfRange(c.dueDay, today + 1, today + TENOR_DAYS_MAX)
        );
        require(c.advBps <= ADV_BPS_MAX, Errors.RateOutOfRange(c.advBps, ADV_BPS_MAX));
        require(c.feeBps <= FEE_BPS_MAX, Errors.RateOutOfRange(c.feeBps, FEE_BPS_MAX));
        require(c.bps <= APR_BPS_MAX, Errors.RateOutOfRange(c.bps, APR_BPS_MAX));
        require(c.lateBps <= APR_BPS_MAX - c.bps, Errors.RateOutOfRange(c.lateBps, APR_BPS_MAX - c.bps));
        require(c.basis == 360 || c.basis == 365, Errors.BasisInvalid(c.basis));
        require(c.graceDays <= GRACE_DAYS_MAX, Errors.GraceOutOfRange(c.graceDays, GRACE_DAYS_MAX));
    }

    /// @dev A seller that can only receive would keep for ever what it is paid, or be swept in a circle.
    function _requireSeller(bytes32 id, Confirmation calldata c, uint32 today) private view {
        require(
            c.seller != address(0) && c.seller != address(this) && c.seller != lockboxOf(id),
            Errors.AddressInvalid(c.seller)
        );
        uint32 untilDay = _sellerFreezes[c.seller].untilDay;
        require(today >= untilDay, Errors.SellerFrozen(c.seller, untilDay));
        require(
            address(QUALITY_DEPOSIT) == address(0) || QUALITY_DEPOSIT.isCovered(c.seller, c.face),
            Errors.DepositInsufficient(c.seller, c.face)
        );
    }

    /// @dev Accept a statement of a platform once, before its deadline.
    function _useSigned(
        uint32 platformId,
        bytes32 structHash,
        uint256 nonce,
        uint64 deadline,
        bytes calldata signature
    ) private {
        require(block.timestamp <= deadline, Errors.DeadlinePassed(deadline, block.timestamp));
        uint256 latest = block.timestamp + DEADLINE_SPAN_MAX;
        require(deadline <= latest, Errors.DeadlineTooFar(deadline, latest));
        address signer = _platformSigners[platformId];
        require(signer != address(0), Errors.PlatformUnknown(platformId));
        require(
            SignatureChecker.isValidSignatureNowCalldata(signer, _hashTypedDataV4(structHash), signature),
            Errors.SignatureInvalid(signer)
        );
        _useNonce(signer, nonce);
    }

    /// @dev What the platform still has to pay must repay the lender by the due day: whatever it paid before is gone
    /// to the seller. A receivable of which nothing is expected is paid, even if nothing were needed.
    function _requireCover(bytes32 id, Receivable storage r, uint256 advance, uint256 today) private view {
        require(r.held == 0, Errors.HoldNotReleased(id, r.held));
        uint256 needed = advance + Accrual.shareDown(r.face, r.feeBps)
            + Accrual.interestUp(advance * r.bps * (r.dueDay - today), r.basis);
        uint256 expected = _expected(r);
        require(expected >= Math.max(needed, 1), Errors.FaceInsufficient(id, expected, needed));
    }

    function _cancel(bytes32 id, Receivable storage r) private {
        require(r.state == State.Confirmed, Errors.StateUnexpected(id, uint8(r.state)));
        r.state = State.Cancelled;
        emit Cancelled(id, msg.sender);
        _releasePledge(id);
    }

    // Payments, inside.

    /// @dev A payment of the caller. The seller settles the debt and nothing more: paying a residual to oneself
    /// would only stage a history of payments.
    function _settle(bytes32 id, Receivable storage r, uint256 amount, bool isEarly) private returns (uint256 paid) {
        bool isSeller = msg.sender == r.seller;
        Legs memory legs;
        (paid, legs) = _apply(id, r, msg.sender, amount, isSeller, isEarly);
        if (paid != 0) _pull(msg.sender, address(this), paid);
        _payOut(id, r, legs);
    }

    /// @dev The balance of a lockbox: what is due goes through the waterfall, what is not is the seller's.
    function _sweep(bytes32 id, Receivable storage r, address box, uint256 balance) private {
        Legs memory legs;
        uint256 applied = 0;
        if (_isOpen(r.state)) {
            (applied, legs) = _apply(id, r, box, balance, false, false);
        } else if (r.state == State.Confirmed) {
            // What the platform pays before funding can repay no lender: so much less of the face is to come.
            r.diluted = uint96(Math.min(r.face, r.diluted + balance));
        }
        uint256 passedOn = balance - applied;
        legs.residual += passedOn;
        emit Swept(id, box, applied, passedOn);

        if (box.code.length == 0) Clones.cloneDeterministic(LOCKBOX_CODE, id);
        uint256 before = ASSET.balanceOf(address(this));
        ILockbox(box).release(balance);
        _requireExact(before, ASSET.balanceOf(address(this)), balance);
        _payOut(id, r, legs);
    }

    /// @dev Write a payment into the record: the only place where what is owed goes down.
    function _apply(
        bytes32 id,
        Receivable storage r,
        address payer,
        uint256 amount,
        bool isSeller,
        bool isEarly
    ) private returns (uint256 paid, Legs memory legs) {
        require(_isOpen(r.state), Errors.StateUnexpected(id, uint8(r.state)));
        require(amount != 0, Errors.AmountIsZero());
        uint32 today = _today();
        uint256 numerator = _numeratorOn(r, today);
        Legs memory due = _due(r, numerator);
        uint256 debt = due.total();
        paid = Math.min(amount, isSeller ? debt : Math.max(debt, _expected(r)));
        // Where nothing is owed any more, the seller closes by asking to repay early.
        require(paid != 0 || isEarly, Errors.NothingOwed(id));
        legs = Waterfall.split(paid, due);

        r.received += paid.toUint96();
        emit Settled(
            id, payer, paid, legs.fee, legs.interest, legs.principal, legs.residual, today, isEarly
        );
        if (paid >= debt && (isSeller || _expected(r) == 0)) {
            _close(id, r, today);
        } else {
            r.numerator = numerator.toUint128();
            r.principalPaid += uint96(legs.principal);
            r.lastDay = uint32(Accrual.accrualDay(r.fundedDay, today));
        }
    }

    function _close(bytes32 id, Receivable storage r, uint32 today) private {
        uint8 flags = today > r.dueDay ? r.flags | FLAG_LATE : r.flags;
        r.state = State.Settled;
        r.flags = flags;
        emit Closed(id, flags, today);
        _releasePledge(id);
    }

    /// @dev The legs of a payment that the book holds: treasury, lender, seller.
    function _payOut(bytes32 id, Receivable storage r, Legs memory legs) private {
        if (legs.residual != 0 && _isFrozen(r, _today())) {
            r.held += legs.residual.toUint96();
            emit Held(id, r.seller, legs.residual);
            legs.residual = 0;
        }
        _pay(TREASURY, legs.fee);
        _pay(r.lender, legs.interest + legs.principal);
        _pay(r.seller, legs.residual);
    }

    function _releaseHold(bytes32 id, Receivable storage r) private {
        uint256 amount = r.held;
        r.held = 0;
        emit HoldReleased(id, r.seller, amount);
        _pay(r.seller, amount);
    }

    /// @dev A recipient that cannot be paid must never stop the others: its money waits.
    function _pay(address to, uint256 amount) private {
        if (amount == 0 || ASSET.trySafeTransfer(to, amount)) return;
        _claimable[to] += amount;
        emit ClaimCredited(to, amount);
    }

    /// @dev Take exactly an amount from an account; an asset that keeps a part is refused.
    function _pull(address from, address to, uint256 amount) private {
        uint256 before = ASSET.balanceOf(to);
        ASSET.safeTransferFrom(from, to, amount);
        _requireExact(before, ASSET.balanceOf(to), amount);
    }

    function _requireExact(uint256 before, uint256 balance, uint256 amount) private pure {
        require(
            balance >= before && balance - before == amount,
            Errors.TransferInexact(amount, Math.saturatingSub(balance, before))
        );
    }

    /// @dev A deposit that fails must not keep anyone from paying: its own books show what is pledged.
    function _releasePledge(bytes32 id) private {
        if (address(QUALITY_DEPOSIT) == address(0)) return;
        try QUALITY_DEPOSIT.releasePledge(id) {} catch {}
    }

    // Findings, inside.

    /// @dev Before a new freeze takes the place of an ended one, count what the ended one excused.
    function _countFreeze(Receivable storage r, uint32 today) private {
        if (r.frozenUntilDay <= r.frozenFromDay) return;
        if (_isOpen(r.state)) {
            r.numerator = _numeratorOn(r, today).toUint128();
            r.lastDay = uint32(Accrual.accrualDay(r.fundedDay, today));
        }
        uint256 excused = Accrual.overlap(r.frozenFromDay, r.frozenUntilDay, r.dueDay, type(uint32).max);
        r.priorFrozenDays += uint24(excused);
    }

    function _setSellerFreeze(Finding calldata f, bytes calldata signature, uint32 untilDay)
        private
        returns (address seller)
    {
        seller = address(uint160(uint256(f.id)));
        require(bytes32(uint256(uint160(seller))) == f.id, Errors.AddressInvalid(seller));
        SellerFreeze storage s = _sellerFreezes[seller];
        _useFinding(f, signature, s.findingAt);
        s.untilDay = untilDay;
        s.findingAt = f.issuedAt;
    }

    // Arithmetic on a record.

    function _advance(Receivable storage r) private view returns (uint96) {
        return uint96(Accrual.shareDown(r.face, r.advBps));
    }

    /// @dev What the platform has still to pay of the face; what it paid before funding is in `diluted`.
    function _expected(Receivable storage r) private view returns (uint256) {
        return Math.saturatingSub(r.face, uint256(r.diluted) + r.received);
    }

    function _dueOn(Receivable storage r, uint256 day) private view returns (Legs memory due) {
        if (_isOpen(r.state)) due = _due(r, _numeratorOn(r, day));
    }

    function _due(Receivable storage r, uint256 numerator) private view returns (Legs memory due) {
        uint256 fee = Accrual.shareDown(r.face, r.feeBps);
        uint256 interest = Accrual.interestUp(numerator, r.basis);
        Legs memory paid = Waterfall.paidOf(r.received, fee, interest, r.principalPaid);
        due.fee = fee - paid.fee;
        due.interest = interest - paid.interest;
        due.principal = _advance(r) - r.principalPaid;
    }

    function _numeratorOn(Receivable storage r, uint256 day) private view returns (uint256) {
        Accrual.Terms memory terms =
            Accrual.Terms(r.bps, r.lateBps, r.dueDay, r.frozenFromDay, r.frozenUntilDay);
        uint256 fromDay = r.lastDay == 0 ? r.fundedDay : r.lastDay;
        uint256 toDay = Accrual.accrualDay(r.fundedDay, day);
        return r.numerator + Accrual.numerator(_advance(r) - r.principalPaid, terms, fromDay, toDay);
    }

    // Conditions.

    function _isOpen(State state) private pure returns (bool) {
        return state >= State.Funded && state <= State.WrittenOff;
    }

    function _isFrozen(Receivable storage r, uint32 day) private view returns (bool) {
        return day >= r.frozenFromDay && day < r.frozenUntilDay;
    }

    function _isEligible(bytes32 listingHash) private view returns (bool) {
        return address(GATE) == address(0) || GATE.isEligible(listingHash, ATTESTATION_AGE_DAYS_MAX);
    }

    function _isSweepable(bytes32 id) private view returns (bool) {
        Receivable storage r = _receivables[id];
        if (r.state == State.None) return false;
        if (r.held != 0 && !_isFrozen(r, _today())) return true;
        return ASSET.balanceOf(lockboxOf(id)) != 0;
    }

    function _today() private view returns (uint32) {
        return Accrual.dayOf(block.timestamp);
    }
}
